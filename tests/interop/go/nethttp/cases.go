package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type testCase struct {
	name    string
	http2   bool
	request func() *http.Request
	program func(*http.Client) error // instead of one request
	answers []answer
}

func build(method, url string, body io.Reader, changes ...func(*http.Request)) func() *http.Request {
	return func() *http.Request {
		request, err := http.NewRequest(method, url, body)
		if err != nil {
			log.Fatal(err)
		}
		for _, change := range changes {
			change(request)
		}
		return request
	}
}

func header(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Header.Add(pairs[i], pairs[i+1])
		}
	}
}

func get(url string, changes ...func(*http.Request)) func() *http.Request {
	return build("GET", url, nil, changes...)
}

func post(url, body, contentType string, changes ...func(*http.Request)) func() *http.Request {
	return build("POST", url, strings.NewReader(body), append(changes, header("Content-Type", contentType))...)
}

func gzipped(s string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write([]byte(s))
	w.Close()
	return out.String()
}

func multipartBody() (string, string) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	w.SetBoundary("boundary")
	w.WriteField("field", "value")
	part, _ := w.CreateFormFile("file", "a.bin")
	part.Write([]byte{0, 0xff, '\n'})
	w.Close()
	return out.String(), w.FormDataContentType()
}

type unknown struct{ io.Reader }

const (
	h1   = "http://example.com"
	h2   = "https://example.com"
	form = "application/x-www-form-urlencoded"
)

var length0 = []field{{"Content-Length", "0"}}

func ok(body string, headers ...field) answer {
	return answer{code: 200, reason: " OK", body: body, headers: headers}
}

// both makes the case twice, in HTTP/1.1 and in HTTP/2.
func both(name string, request func(base string) func() *http.Request, a func(lower bool) answer) []testCase {
	return []testCase{
		{name: "h1 " + name, request: request(h1), answers: []answer{a(false)}},
		{name: "h2 " + name, http2: true, request: request(h2), answers: []answer{a(true)}},
	}
}

func fixed(a answer) func(bool) answer {
	return func(lower bool) answer {
		if lower {
			return lowered(a)
		}
		return a
	}
}

// lowered is the answer as HTTP/2 has it.
func lowered(a answer) answer {
	headers := a.headers
	a.headers = nil
	for _, f := range headers {
		a.headers = append(a.headers, field{text(strings.ToLower(string(f[0]))), f[1]})
	}
	return a
}

func cases() []testCase {
	multi, multiType := multipartBody()
	sse := ": OPENROUTER PROCESSING\n\ndata: {}\n\ndata: [DONE]\n\n"
	all := []testCase{}
	add := func(cs ...testCase) { all = append(all, cs...) }
	plain := func(path string, changes ...func(*http.Request)) func(string) func() *http.Request {
		return func(base string) func() *http.Request { return get(base+path, changes...) }
	}
	posted := func(path, body, contentType string, changes ...func(*http.Request)) func(string) func() *http.Request {
		return func(base string) func() *http.Request { return post(base+path, body, contentType, changes...) }
	}

	// What the request holds.
	for name, request := range map[string]func(string) func() *http.Request{
		"get":                 plain("/v1/models"),
		"empty path":          plain(""),
		"bare question mark":  plain("/x?"),
		"fragment":            plain("/x?a=1#frag"),
		"path escapes":        plain("/a%2Fb/%C3%A9/~x/(y)!*'/[z]/c d|e\"f"),
		"path of raw utf-8":   plain("/é/<x>"),
		"path with colon":     plain("/model/a.b-v1%3A0/invoke:x"),
		"query":               plain("/x?b=2&a=1&b=3&empty=&bare&=noname&&plus=a+b&pct=%41%2B%c3%a9&bytes=%ff"),
		"query of raw utf-8":  plain("/x?é=ü"),
		"query question mark": plain("/x?a=b?c&d==e"),
		"get with form body": func(b string) func() *http.Request {
			return build("GET", b+"/x?q=1", strings.NewReader("a=1"), header("Content-Type", form))
		},
		"delete with form body": func(b string) func() *http.Request {
			return build("DELETE", b+"/x?q=1", strings.NewReader("a=1"), header("Content-Type", form))
		},
		"put form": func(b string) func() *http.Request {
			return build("PUT", b+"/x?a=q", strings.NewReader("a=b&a=c"), header("Content-Type", form))
		},
		"patch form": func(b string) func() *http.Request {
			return build("PATCH", b+"/x", strings.NewReader("a=b"), header("Content-Type", form))
		},
		"post json":               posted("/x", `{"a":"é"}`, "application/json"),
		"post form and query":     posted("/x?a=query&only=q", "a=body1&a=body2&z=%20+%26", form),
		"post form with charset":  posted("/x", "a=1", "Application/X-WWW-Form-Urlencoded; charset=utf-8"),
		"post form that is empty": posted("/x", "", form),
		"post multipart":          posted("/x?q=1", multi, multiType),
		"post binary":             posted("/x", "\x00\xff\xfe\r\n", "application/octet-stream"),
		"post 300 KB":             posted("/x", strings.Repeat("é\n", 100_000), "text/plain"),
		"post nothing":            func(b string) func() *http.Request { return build("POST", b+"/x", nil) },
		"post http.NoBody":        func(b string) func() *http.Request { return build("POST", b+"/x", http.NoBody) },
		"explicit unknown length": func(b string) func() *http.Request {
			return build("POST", b+"/x", unknown{strings.NewReader("abc")}, func(r *http.Request) { r.ContentLength = -1 })
		},
		"implicit unknown length": func(b string) func() *http.Request { return build("POST", b+"/x", unknown{strings.NewReader("abc")}) },
		"unknown length and nothing": func(b string) func() *http.Request {
			return build("POST", b+"/x", unknown{strings.NewReader("")}, func(r *http.Request) { r.ContentLength = -1 })
		},
		"request trailers": func(b string) func() *http.Request {
			return build("POST", b+"/x", unknown{strings.NewReader("abc")}, func(r *http.Request) { r.ContentLength = -1; r.Trailer = http.Header{"X-Sum": {"1"}} })
		},
		"duplicate headers":    plain("/x", header("X-A", "1", "x-a", "2", "X-B", "  padded\t")),
		"odd header names":     plain("/x", header("x_under.dot", "1", "X-UPPER-lower", "2", "ETAG", "3")),
		"header bytes":         plain("/x", header("X-Latin", "caf\xe9", "X-Utf8", "café")),
		"empty header value":   plain("/x", header("X-Empty", "")),
		"user agent":           plain("/x", header("User-Agent", "OpenAI/Go 2.3.0")),
		"two user agents":      plain("/x", header("User-Agent", "a/1", "User-Agent", "b/2")),
		"user agent of go set": plain("/x", header("User-Agent", "Go-http-client/3")),
		"accept encoding br":   plain("/x", header("Accept-Encoding", "br")),
		"accept encoding list": plain("/x", header("Accept-Encoding", "gzip, deflate")),
		"range and gzip":       plain("/x", header("Range", "bytes=0-1", "Accept-Encoding", "gzip")),
		"range":                plain("/x", header("Range", "bytes=0-1")),
		"host set":             plain("/x", func(r *http.Request) { r.Host = "other.example" }),
		"close":                plain("/x", func(r *http.Request) { r.Close = true }),
		"basic auth":           plain("/x", func(r *http.Request) { r.SetBasicAuth("u", "p") }),
		"cookies":              plain("/x", header("Cookie", "a=1; b=2; c=3")),
		"two cookie headers":   plain("/x", header("Cookie", "a=1", "Cookie", "b=2")),
		"expect":               plain("/x", header("X-Expect", "100-continue")),
		"te":                   plain("/x", header("Te", "trailers")),
		"custom method": func(b string) func() *http.Request {
			return build("QUERY", b+"/x", strings.NewReader("a=1"), header("Content-Type", form))
		},
		"options": func(b string) func() *http.Request { return build("OPTIONS", b+"/x", nil) },
	} {
		add(both(name, request, fixed(ok("hi", field{"Content-Length", "2"})))...)
	}
	// As openai-go does it: a relative URL, made absolute later.
	add(both("stainless", func(base string) func() *http.Request {
		return func() *http.Request {
			request := build("POST", "chat/completions", strings.NewReader("{}"), header("X-Stainless-Lang", "go", "User-Agent", "OpenAI/Go 2.3.0"))()
			at, err := url.Parse(base + "/api/v1/")
			if err != nil {
				log.Fatal(err)
			}
			request.URL = at.ResolveReference(request.URL)
			return request
		}
	}, fixed(ok("{}", field{"Content-Length", "2"})))...)
	add(testCase{name: "h1 default port", request: get("http://example.com:80/x"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "h2 default port", http2: true, request: get("https://example.com:443/x"), answers: []answer{ok("", field{"content-length", "0"})}})
	add(testCase{name: "h1 other port", request: get("http://example.com:8080/x"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "h1 other scheme's port", request: get("http://example.com:443/x"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "h2 other port", http2: true, request: get("https://example.com:8443/x"), answers: []answer{ok("", field{"content-length", "0"})}})
	add(testCase{name: "h1 upper-case host", request: get("http://EXAMPLE.com/x"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "h1 userinfo", request: get("http://user:pass@example.com/x"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "refused: semicolon in the query", request: get(h1 + "/x?a=1;b=2&c=3"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "refused: broken escape in the query", request: get(h1 + "/x?a=%zz&c=3"), answers: []answer{ok("", length0...)}})
	add(testCase{name: "refused: broken escape in the form", request: post(h1+"/x", "a=%zz&c=3", form), answers: []answer{ok("", length0...)}})

	// What the answer holds.
	for name, a := range map[string]answer{
		"sse":                       {code: 200, reason: " OK", headers: []field{{"Content-Type", "text/event-stream"}}, body: sse, chunked: true},
		"trailers announced":        {code: 200, reason: " OK", headers: []field{{"Trailer", "x-sum, X-Not-Sent"}}, body: "abc", chunked: true, trailers: []field{{"x-sum", "1"}, {"x-sum", "2"}}},
		"trailers not announced":    {code: 200, reason: " OK", body: "abc", chunked: true, trailers: []field{{"x-sum", "1"}}},
		"trailer header only":       ok("abc", field{"Content-Length", "3"}, field{"Trailer", "x-sum"}),
		"gzip":                      ok(gzipped("hello"), field{"Content-Encoding", "gzip"}, field{"Content-Type", "text/plain"}, field{"Vary", "Accept-Encoding"}),
		"gzip in upper case":        ok(gzipped("hello"), field{"Content-Encoding", "GZIP"}),
		"gzip of two members":       ok(gzipped("hello ")+gzipped("there"), field{"Content-Encoding", "gzip"}),
		"gzip with trailers":        {code: 200, reason: " OK", headers: []field{{"Content-Encoding", "gzip"}, {"Trailer", "X-Sum"}}, body: gzipped("abc"), chunked: true, trailers: []field{{"x-sum", "1"}}},
		"gzip of nothing with 0":    ok("", field{"Content-Encoding", "gzip"}, field{"Content-Length", "0"}),
		"identity":                  ok("abc", field{"Content-Encoding", "identity"}, field{"Content-Length", "3"}),
		"set-cookie twice":          ok("", field{"Set-Cookie", "a=1; Path=/"}, field{"set-cookie", "b=2"}, field{"Content-Length", "0"}),
		"header bytes":              ok("", field{"X-Latin", "caf\xe9"}, field{"X-Utf8", "café"}, field{"Content-Length", "0"}),
		"header order and case":     ok("", field{"x-b", "2"}, field{"X-A", "1"}, field{"X-B", "3"}, field{"ETag", `"x"`}, field{"WWW-Authenticate", "Basic"}, field{"Content-Length", "0"}),
		"empty header value":        ok("", field{"X-Empty", ""}, field{"Content-Length", "0"}),
		"no length":                 ok("abc"),
		"300 KB":                    ok(strings.Repeat("data: {}\n\n", 30_000), field{"Content-Type", "text/event-stream"}, field{"Content-Length", "300000"}),
		"binary":                    ok("\x00\xff\xfe", field{"Content-Length", "3"}),
		"204":                       {code: 204, reason: " No Content"},
		"204 with a length":         {code: 204, reason: " No Content", headers: []field{{"Content-Length", "0"}}},
		"304":                       {code: 304, reason: " Not Modified", headers: []field{{"ETag", `"x"`}}},
		"304 with a length":         {code: 304, reason: " Not Modified", headers: []field{{"Content-Length", "0"}}},
		"404":                       {code: 404, reason: " Not Found", headers: []field{{"Content-Length", "2"}}, body: "no"},
		"another reason":            {code: 200, reason: " Fine", headers: []field{{"Content-Length", "0"}}},
		"reason of several words":   {code: 200, reason: " Fine, thanks  ", headers: []field{{"Content-Length", "0"}}},
		"no reason":                 {code: 200, reason: " ", headers: []field{{"Content-Length", "0"}}},
		"418":                       {code: 418, reason: " I'm a teapot", headers: []field{{"Content-Length", "0"}}},
		"529":                       {code: 529, reason: " Overloaded", headers: []field{{"Content-Length", "0"}}},
		"599":                       {code: 599, reason: " ", headers: []field{{"Content-Length", "0"}}},
		"pragma":                    ok("", field{"Pragma", "no-cache"}, field{"Content-Length", "0"}),
		"pragma and cache-control":  ok("", field{"Pragma", "no-cache"}, field{"Cache-Control", "max-age=1"}, field{"Content-Length", "0"}),
		"redirect without location": {code: 302, reason: " Found", headers: []field{{"Content-Length", "0"}}},
	} {
		first := a
		if a.chunked {
			first.headers = append([]field{{"Transfer-Encoding", "chunked"}}, a.headers...)
		}
		add(testCase{name: "h1 answer: " + name, request: get(h1 + "/x"), answers: []answer{first}})
		add(testCase{name: "h2 answer: " + name, http2: true, request: get(h2 + "/x"), answers: []answer{lowered(a)}})
	}
	head := func(base string, a answer, changes ...func(*http.Request)) testCase {
		c := testCase{name: "h1 head", request: build("HEAD", base+"/x", nil, changes...), answers: []answer{a}}
		if base == h2 {
			c.name, c.http2 = "h2 head", true
		}
		return c
	}
	named := func(suffix string, c testCase) testCase { c.name += suffix; return c }
	for _, base := range []string{h1, h2} {
		add(head(base, ok("", field{"content-length", "12"})))
		add(named(" without a length", head(base, ok(""))))
		add(named(" of gzip", head(base, ok("", field{"content-encoding", "gzip"}, field{"content-length", "12"}))))
		add(named(" asking for gzip", head(base, ok("", field{"content-encoding", "gzip"}, field{"content-length", "12"}), header("Accept-Encoding", "gzip"))))
	}
	add(named(" chunked", head(h1, ok("", field{"Transfer-Encoding", "chunked"}))))
	for name, a := range map[string]answer{
		"1.0":                    {version: "HTTP/1.0", code: 200, reason: " OK", body: "abc"},
		"1.0 with a length":      {version: "HTTP/1.0", code: 200, reason: " OK", body: "abc", headers: []field{{"Content-Length", "3"}, {"Connection", "close"}}},
		"1.0 chunked":            {version: "HTTP/1.0", code: 200, reason: " OK", body: "abc", headers: []field{{"Transfer-Encoding", "chunked"}}},
		"connection close":       ok("abc", field{"Content-Length", "3"}, field{"Connection", "close"}),
		"connection keep-alive":  ok("abc", field{"Content-Length", "3"}, field{"Connection", "keep-alive"}, field{"Keep-Alive", "timeout=5"}),
		"chunked and a length":   {code: 200, reason: " OK", headers: []field{{"Content-Length", "3"}, {"Transfer-Encoding", "Chunked"}}, body: "abc", chunked: true},
		"chunked of nothing":     {code: 200, reason: " OK", headers: []field{{"Transfer-Encoding", "chunked"}}, chunked: true},
		"chunked gzip":           {code: 200, reason: " OK", headers: []field{{"Transfer-Encoding", "chunked"}, {"Content-Encoding", "gzip"}}, body: gzipped("hello"), chunked: true},
		"gzip of nothing":        {code: 200, reason: " OK", headers: []field{{"Transfer-Encoding", "chunked"}, {"Content-Encoding", "gzip"}}, chunked: true},
		"same length twice":      ok("abc", field{"Content-Length", "3"}, field{"Content-Length", "3"}),
		"folded header":          ok("abc", field{"X-Folded", "a\r\n   b"}, field{"Content-Length", "3"}),
		"padded header":          ok("abc", field{"X-Padded", "   a \t"}, field{"Content-Length", "3"}),
		"odd header name":        ok("abc", field{"x_under.dot!", "a"}, field{"Content-Length", "3"}),
		"204 chunked":            {code: 204, reason: " No Content", headers: []field{{"Transfer-Encoding", "chunked"}}},
		"204 gzip":               {code: 204, reason: " No Content", headers: []field{{"Content-Encoding", "gzip"}}},
		"304 of a length":        {code: 304, reason: " Not Modified", headers: []field{{"Content-Length", "12"}}},
		"after 100":              {code: 200, reason: " OK", headers: length0, interim: "HTTP/1.1 100 Continue\r\n\r\n"},
		"after 103":              {code: 200, reason: " OK", headers: length0, interim: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"},
		"no reason and no space": {code: 200, headers: length0},
	} {
		add(testCase{name: "h1 answer only: " + name, request: get(h1 + "/x"), answers: []answer{a}})
	}
	add(testCase{name: "h2 answer only: 304 of a length", http2: true, request: get(h2 + "/x"), answers: []answer{{code: 304, headers: []field{{"content-length", "12"}}}}})
	add(testCase{name: "h2 answer only: two lengths", http2: true, request: get(h2 + "/x"), answers: []answer{ok("abc", field{"content-length", "3"}, field{"content-length", "3"})}})
	add(testCase{name: "h2 answer only: nothing, ended apart", http2: true, request: get(h2 + "/x"), answers: []answer{{code: 200, endApart: true}}})
	add(testCase{name: "h1 gzip asked for", request: get(h1+"/x", header("Accept-Encoding", "gzip")), answers: []answer{ok(gzipped("hi"), field{"Content-Encoding", "gzip"})}})

	// Several exchanges.
	for _, code := range []int{301, 302, 303, 307, 308} {
		moved := answer{code: code, reason: " Moved", headers: []field{{"location", text("/y?b=" + url.QueryEscape("é ü"))}, {"content-length", "0"}}}
		add(testCase{name: "h1 redirect " + http.StatusText(code), request: post(h1+"/x", "a=1", form), answers: []answer{moved, ok("", length0...)}})
		add(testCase{name: "h2 redirect " + http.StatusText(code), http2: true, request: post(h2+"/x", "a=1", form), answers: []answer{moved, ok("", field{"content-length", "0"})}})
	}
	slices.SortFunc(all, func(a, b testCase) int { return strings.Compare(a.name, b.name) })
	return all
}
