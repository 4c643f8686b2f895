// The oracle: go-vcr itself, asked over pipes. One JSON object a line comes in, one goes out.
//
// Text is in base64 both ways, because Go's strings are bytes. What go-vcr can do is done by go-vcr (Load, Save);
// only the marshalling of the layouts that it does not write by default is ours, and there in the way that the
// recorders do it which write them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"time"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
)

type field struct {
	Name   []byte   `json:"name"`
	Values [][]byte `json:"values"`
}

type request struct {
	Proto            []byte   `json:"proto"`
	ProtoMajor       int      `json:"proto_major"`
	ProtoMinor       int      `json:"proto_minor"`
	ContentLength    int64    `json:"content_length"`
	TransferEncoding [][]byte `json:"transfer_encoding"`
	Trailer          []field  `json:"trailer"`
	Host             []byte   `json:"host"`
	RemoteAddr       []byte   `json:"remote_addr"`
	RequestURI       []byte   `json:"request_uri"`
	Body             []byte   `json:"body"`
	Form             []field  `json:"form"`
	Headers          []field  `json:"headers"`
	URL              []byte   `json:"url"`
	Method           []byte   `json:"method"`
}

type response struct {
	Proto            []byte   `json:"proto"`
	ProtoMajor       int      `json:"proto_major"`
	ProtoMinor       int      `json:"proto_minor"`
	TransferEncoding [][]byte `json:"transfer_encoding"`
	Trailer          []field  `json:"trailer"`
	ContentLength    int64    `json:"content_length"`
	Uncompressed     bool     `json:"uncompressed"`
	Body             []byte   `json:"body"`
	Headers          []field  `json:"headers"`
	Status           []byte   `json:"status"`
	Code             int      `json:"code"`
	Duration         int64    `json:"duration"`
}

type interaction struct {
	Request  request  `json:"request"`
	Response response `json:"response"`
}

// question is what Python asks; Do says which of the other fields count.
type question struct {
	Do           string        `json:"do"`
	Indent       int           `json:"indent"`
	Compact      bool          `json:"compact"`
	Interactions []interaction `json:"interactions"`
	Text         []byte        `json:"text"`
	Nanoseconds  int64         `json:"nanoseconds"`
	Path         string        `json:"path"`
}

type answer struct {
	Error        string        `json:"error,omitempty"`
	Interactions []interaction `json:"interactions,omitempty"`
	Text         []byte        `json:"text,omitempty"`
	Nanoseconds  int64         `json:"nanoseconds,omitempty"`
	Seconds      float64       `json:"seconds,omitempty"`
	SaveSeconds  float64       `json:"save_seconds,omitempty"`
}

// memory is one file, so that go-vcr's own Load and Save run without a disk.
type memory struct{ data []byte }

func (m *memory) ReadFile(string) ([]byte, error)       { return m.data, nil }
func (m *memory) WriteFile(_ string, data []byte) error { m.data = data; return nil }
func (m *memory) IsFileExists(string) bool              { return true }

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	answers := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var asked question
		if err == nil {
			err = json.Unmarshal(line, &asked)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := answers.Encode(safely(asked)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// Python may ask many questions at once; what it waits for is written when no other one is at hand.
		if lines.Buffered() == 0 {
			out.Flush()
		}
	}
}

func safely(asked question) (given answer) {
	defer func() {
		if reason := recover(); reason != nil {
			given = answer{Error: fmt.Sprint("panic: ", reason)}
		}
	}()
	given, err := reply(asked)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return given
}

func reply(asked question) (answer, error) {
	switch asked.Do {
	case "dump":
		text, err := save(asked)
		return answer{Text: text}, err
	case "load":
		loaded, err := cassette.LoadWithFS("oracle", &memory{data: asked.Text})
		if err != nil {
			return answer{}, err
		}
		return answer{Interactions: wired(loaded.Interactions)}, nil
	case "format_duration":
		return answer{Text: []byte(time.Duration(asked.Nanoseconds).String())}, nil
	case "parse_duration":
		parsed, err := time.ParseDuration(string(asked.Text))
		return answer{Nanoseconds: int64(parsed)}, err
	case "time":
		return timed(asked)
	}
	return answer{}, fmt.Errorf("%q is no question", asked.Do)
}

func save(asked question) ([]byte, error) {
	file := &memory{}
	made := cassette.New("oracle")
	made.MarshalFunc = marshal(asked.Indent, asked.Compact)
	for _, one := range asked.Interactions {
		made.AddInteraction(&cassette.Interaction{Request: requestOf(one.Request), Response: responseOf(one.Response)})
	}
	err := made.SaveWithFS(file)
	return file.data, err
}

// timed loads and saves a file, as a program that uses go-vcr would; the disk is the page cache in both.
func timed(asked question) (answer, error) {
	data, err := os.ReadFile(asked.Path)
	if err != nil {
		return answer{}, err
	}
	file := &memory{data: data}
	runtime.GC()
	start := time.Now()
	loaded, err := cassette.LoadWithFS("oracle", file)
	if err != nil {
		return answer{}, err
	}
	given := answer{Seconds: time.Since(start).Seconds()}
	loaded.MarshalFunc = marshal(asked.Indent, asked.Compact)
	runtime.GC()
	start = time.Now()
	err = loaded.SaveWithFS(file)
	given.SaveSeconds = time.Since(start).Seconds()
	return given, err
}

func requestOf(r request) cassette.Request {
	return cassette.Request{
		Proto: string(r.Proto), ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		ContentLength: r.ContentLength, TransferEncoding: stringsOf(r.TransferEncoding),
		Trailer: headerOf(r.Trailer), Host: string(r.Host), RemoteAddr: string(r.RemoteAddr),
		RequestURI: string(r.RequestURI), Body: string(r.Body), Form: url.Values(headerOf(r.Form)),
		Headers: headerOf(r.Headers), URL: string(r.URL), Method: string(r.Method),
	}
}

func responseOf(r response) cassette.Response {
	return cassette.Response{
		Proto: string(r.Proto), ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		TransferEncoding: stringsOf(r.TransferEncoding), Trailer: headerOf(r.Trailer),
		ContentLength: r.ContentLength, Uncompressed: r.Uncompressed, Body: string(r.Body),
		Headers: headerOf(r.Headers), Status: string(r.Status), Code: r.Code,
		Duration: time.Duration(r.Duration),
	}
}

func wired(loaded []*cassette.Interaction) []interaction {
	all := make([]interaction, 0, len(loaded))
	for _, one := range loaded {
		q, s := one.Request, one.Response
		all = append(all, interaction{
			Request: request{
				Proto: []byte(q.Proto), ProtoMajor: q.ProtoMajor, ProtoMinor: q.ProtoMinor,
				ContentLength: q.ContentLength, TransferEncoding: bytesOf(q.TransferEncoding),
				Trailer: fieldsOf(q.Trailer), Host: []byte(q.Host), RemoteAddr: []byte(q.RemoteAddr),
				RequestURI: []byte(q.RequestURI), Body: []byte(q.Body), Form: fieldsOf(http.Header(q.Form)),
				Headers: fieldsOf(q.Headers), URL: []byte(q.URL), Method: []byte(q.Method),
			},
			Response: response{
				Proto: []byte(s.Proto), ProtoMajor: s.ProtoMajor, ProtoMinor: s.ProtoMinor,
				TransferEncoding: bytesOf(s.TransferEncoding), Trailer: fieldsOf(s.Trailer),
				ContentLength: s.ContentLength, Uncompressed: s.Uncompressed, Body: []byte(s.Body),
				Headers: fieldsOf(s.Headers), Status: []byte(s.Status), Code: s.Code,
				Duration: int64(s.Duration),
			},
		})
	}
	return all
}

func headerOf(fields []field) http.Header {
	made := http.Header{}
	for _, one := range fields {
		made[string(one.Name)] = stringsOf(one.Values)
	}
	return made
}

func fieldsOf(header http.Header) []field {
	fields := make([]field, 0, len(header))
	for name, values := range header {
		fields = append(fields, field{Name: []byte(name), Values: bytesOf(values)})
	}
	return fields
}

func stringsOf(values [][]byte) []string {
	made := make([]string, 0, len(values))
	for _, value := range values {
		made = append(made, string(value))
	}
	return made
}

func bytesOf(values []string) [][]byte {
	made := make([][]byte, 0, len(values))
	for _, value := range values {
		made = append(made, []byte(value))
	}
	return made
}
