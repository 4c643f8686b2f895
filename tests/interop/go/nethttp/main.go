// Records exchanges with go-vcr inside a Go client and prints, as JSON, what stood on the wire and what go-vcr stored.
//
// The servers are scripted to the byte, so that a case is exactly what it says. Nothing leaves the process: every
// address is dialled to a loopback listener. In the JSON a string holds one character for each byte (Latin-1), as Go's
// strings are bytes and JSON's are not.
//
// With an argument, whichever, it records behind a proxy that records the same exchanges (through.go).
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"
)

// text is a string of bytes that becomes a JSON string of as many characters.
type text string

func (t text) MarshalJSON() ([]byte, error) {
	runes := make([]rune, len(t))
	for i := range len(t) {
		runes[i] = rune(t[i])
	}
	return json.Marshal(string(runes))
}

type field [2]text

type message struct {
	Method   text    `json:"method,omitempty"`
	URL      text    `json:"url,omitempty"`
	Version  text    `json:"version"`
	Code     int     `json:"code,omitempty"`
	Reason   text    `json:"reason"`
	Headers  []field `json:"headers"`
	Body     text    `json:"body"`
	Trailers []field `json:"trailers"`
}

type exchange struct {
	Request  message        `json:"request"`
	Response message        `json:"response"`
	Stored   map[string]any `json:"stored"`
}

type outcome struct {
	Name      string      `json:"name"`
	Exchanges []*exchange `json:"exchanges"`
	Refused   string      `json:"refused,omitempty"`
}

// answer is what the server sends. An HTTP/1 answer has chunks if chunked, and else ends with the connection.
type answer struct {
	version  string // "HTTP/1.1" if empty; HTTP/2 cases ignore it
	code     int
	reason   string // with the space before it; HTTP/2 cases ignore it
	headers  []field
	body     string
	chunked  bool
	trailers []field
	interim  string // sent before the answer (HTTP/1)
	endApart bool   // HTTP/2: an empty body ends in a DATA frame of its own
}

type wire struct {
	answers   []answer
	exchanges []*exchange
	dialled   string
	scheme    string
}

func (w *wire) next() answer {
	if len(w.answers) == 0 {
		log.Fatal("more requests than answers")
	}
	a := w.answers[0]
	w.answers = w.answers[1:]
	return a
}

// meant is the URL of a request whose host was dialled: a proxy sees no more of it than this.
func (w *wire) meant(target string) text {
	host, port, _ := net.SplitHostPort(w.dialled)
	if (w.scheme == "http" && port == "80") || (w.scheme == "https" && port == "443") {
		return text(w.scheme + "://" + host + target)
	}
	return text(w.scheme + "://" + w.dialled + target)
}

func (w *wire) note(request message, a answer, version string) {
	reason := strings.TrimPrefix(a.reason, " ")
	if version == "HTTP/2.0" {
		reason = ""
	}
	w.exchanges = append(w.exchanges, &exchange{
		Request: request,
		Response: message{
			Version: text(version), Code: a.code, Reason: text(reason), Headers: a.headers, Body: text(a.body), Trailers: a.trailers,
		},
	})
}

func serve1(conn net.Conn, w *wire) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		parts := strings.Split(strings.TrimSpace(line), " ")
		request := message{Method: text(parts[0]), Version: text(parts[2]), URL: w.meant(parts[1])}
		request.Headers = fields(in)
		request.Body, request.Trailers = body(in, request.Headers)
		a := w.next()
		if a.version == "" {
			a.version = "HTTP/1.1"
		}
		var out bytes.Buffer
		out.WriteString(a.interim)
		fmt.Fprintf(&out, "%s %d%s\r\n", a.version, a.code, a.reason)
		length := false
		for _, f := range a.headers {
			length = length || strings.EqualFold(string(f[0]), "Content-Length")
			fmt.Fprintf(&out, "%s: %s\r\n", f[0], f[1])
		}
		out.WriteString("\r\n")
		if a.chunked {
			for i := 0; i < len(a.body); i += 7 {
				piece := a.body[i:min(i+7, len(a.body))]
				fmt.Fprintf(&out, "%x\r\n%s\r\n", len(piece), piece)
			}
			out.WriteString("0\r\n")
			for _, f := range a.trailers {
				fmt.Fprintf(&out, "%s: %s\r\n", f[0], f[1])
			}
			out.WriteString("\r\n")
		} else {
			out.WriteString(a.body)
		}
		w.note(request, a, a.version)
		if _, err := conn.Write(out.Bytes()); err != nil {
			return
		}
		if !length && !a.chunked && request.Method != "HEAD" && a.code != 204 && a.code != 304 {
			return
		}
	}
}

func fields(in *bufio.Reader) (found []field) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			log.Fatal(err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return found
		}
		name, value, _ := strings.Cut(line, ":")
		found = append(found, field{text(name), text(strings.TrimSpace(value))})
	}
}

func body(in *bufio.Reader, headers []field) (text, []field) {
	for _, f := range headers {
		switch {
		case strings.EqualFold(string(f[0]), "Content-Length"):
			n, _ := strconv.Atoi(string(f[1]))
			b := make([]byte, n)
			if _, err := io.ReadFull(in, b); err != nil {
				log.Fatal(err)
			}
			return text(b), nil
		case strings.EqualFold(string(f[0]), "Transfer-Encoding"):
			b, err := io.ReadAll(httputil.NewChunkedReader(in))
			if err != nil {
				log.Fatal(err)
			}
			return text(b), fields(in)
		}
	}
	return "", nil
}

func serve2(conn net.Conn, w *wire) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	var request message
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			var got []field
			for _, h := range f.Fields {
				got = append(got, field{text(h.Name), text(h.Value)})
			}
			if f.PseudoValue("method") == "" {
				request.Trailers = got
			} else {
				request = message{Version: "HTTP/2.0", Method: text(f.PseudoValue("method")), URL: w.meant(f.PseudoValue("path")), Headers: got}
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			request.Body += text(f.Data())
			if n := uint32(len(f.Data())); n > 0 {
				framer.WriteWindowUpdate(0, n)
				framer.WriteWindowUpdate(f.StreamID, n)
			}
			ended = f.StreamEnded()
		}
		if ended {
			answer2(framer, frame.Header().StreamID, request, w)
		}
	}
}

// largestFrame is HTTP/2's by default. Both clients' windows are larger than any body here.
const largestFrame = 16384

func answer2(framer *http2.Framer, stream uint32, request message, w *wire) {
	a := w.next()
	w.note(request, a, "HTTP/2.0")
	bodiless := a.body == "" && len(a.trailers) == 0 && !a.endApart
	send := func(fields []field, end bool) {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range fields {
			encoder.WriteField(hpack.HeaderField{Name: string(f[0]), Value: string(f[1])})
		}
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	}
	send(append([]field{{":status", text(strconv.Itoa(a.code))}}, a.headers...), bodiless)
	if bodiless {
		return
	}
	body := []byte(a.body)
	for len(body) > largestFrame {
		framer.WriteData(stream, false, body[:largestFrame])
		body = body[largestFrame:]
	}
	framer.WriteData(stream, len(a.trailers) == 0, body)
	if len(a.trailers) > 0 {
		send(a.trailers, true)
	}
}

func run(c testCase, certificate tls.Certificate, roots *x509.CertPool) outcome {
	w := &wire{answers: c.answers, scheme: "http"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	serve := serve1
	accept := listener
	if c.http2 {
		serve, w.scheme = serve2, "https"
		accept = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
	}
	go func() {
		for {
			conn, err := accept.Accept()
			if err != nil {
				return
			}
			go serve(conn, w)
		}
	}()
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			w.dialled = address
			return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
		},
	}
	defer transport.CloseIdleConnections()
	var stored []*cassette.Interaction
	keep := func(i *cassette.Interaction) error { stored = append(stored, i); return nil }
	vcr, err := recorder.New("unused", recorder.WithMode(recorder.ModeRecordOnly), recorder.WithRealTransport(transport),
		recorder.WithHook(keep, recorder.AfterCaptureHook))
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: vcr, Timeout: 10 * time.Second}
	result := outcome{Name: c.name}
	response, err := client.Do(c.request())
	if err != nil {
		result.Refused = err.Error()
	} else {
		response.Body.Close()
	}
	for i, interaction := range stored {
		w.exchanges[i].Stored = flat(interaction)
	}
	result.Exchanges = w.exchanges[:len(stored)]
	return result
}

func flat(i *cassette.Interaction) map[string]any {
	q, r := i.Request, i.Response
	return map[string]any{
		"request": map[string]any{
			"method": text(q.Method), "url": text(q.URL), "proto": text(q.Proto), "proto_major": q.ProtoMajor, "proto_minor": q.ProtoMinor,
			"content_length": q.ContentLength, "transfer_encoding": texts(q.TransferEncoding), "trailer": named(q.Trailer), "host": text(q.Host),
			"remote_addr": text(q.RemoteAddr), "request_uri": text(q.RequestURI), "body": text(q.Body), "form": named(q.Form), "headers": named(q.Headers),
		},
		"response": map[string]any{
			"status": text(r.Status), "code": r.Code, "proto": text(r.Proto), "proto_major": r.ProtoMajor, "proto_minor": r.ProtoMinor,
			"transfer_encoding": texts(r.TransferEncoding), "trailer": named(r.Trailer), "content_length": r.ContentLength,
			"uncompressed": r.Uncompressed, "body": text(r.Body), "headers": named(r.Headers),
		},
	}
}

func texts(from []string) []text {
	to := make([]text, len(from))
	for i, s := range from {
		to[i] = text(s)
	}
	return to
}

// named keeps a map as pairs, as JSON's names cannot be text.
func named(from map[string][]string) [][2]any {
	to := [][2]any{}
	for name, values := range from {
		to = append(to, [2]any{text(name), texts(values)})
	}
	return to
}

func main() {
	if len(os.Args) > 1 {
		through()
		return
	}
	certificate, root := lent()
	roots := x509.NewCertPool()
	roots.AddCert(root)
	out := json.NewEncoder(os.Stdout)
	for _, c := range cases() {
		if err := out.Encode(run(c, certificate, roots)); err != nil {
			log.Fatal(err)
		}
	}
}
