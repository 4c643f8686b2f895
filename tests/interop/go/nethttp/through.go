package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"
)

// order asks for one cassette, recorded by go-vcr while the proxy between client and server records its own.
type order struct {
	Proxy    string   `json:"proxy"`    // URL
	Bundle   string   `json:"bundle"`   // file of the roots that the client trusts
	Cassette string   `json:"cassette"` // name without .yaml
	Only     []string `json:"only"`     // the cases; all if empty,
	Without  []string `json:"without"`  // but these
	Request  []string `json:"request"`  // headers to keep; all if empty
	Response []string `json:"response"`
}

// ran says of a case how many interactions go-vcr stored, and which error the client had.
type ran struct {
	Name   string `json:"name"`
	Stored int    `json:"stored"`
	Error  string `json:"error"`
}

// through serves all cases at one address, which is told first, and takes orders from stdin, one JSON object a line.
func through() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	certificate, root := lent()
	var current atomic.Pointer[wire]
	go serve(listener, certificate, &current)
	out := json.NewEncoder(os.Stdout)
	out.Encode(map[string]string{
		"address":     listener.Addr().String(),
		"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})),
	})
	orders := json.NewDecoder(os.Stdin)
	for orders.More() {
		var asked order
		if err := orders.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		out.Encode(carryOut(asked, &current))
	}
}

// serve takes HTTP/1.1 and HTTP/2, with TLS and without; a connection belongs to the case during which it is made.
func serve(listener net.Listener, certificate tls.Certificate, current *atomic.Pointer[wire]) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			first := bufio.NewReader(conn)
			if start, err := first.Peek(1); err != nil || start[0] != 0x16 { // a TLS handshake record
				serve1(peeked{conn, first}, current.Load())
				return
			}
			secure := tls.Server(peeked{conn, first}, config)
			if secure.Handshake() != nil {
				conn.Close()
			} else if secure.ConnectionState().NegotiatedProtocol == "h2" {
				serve2(secure, current.Load())
			} else {
				serve1(secure, current.Load())
			}
		}()
	}
}

type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

// rotating gives each case connections of its own.
type rotating struct{ *http.Transport }

func carryOut(asked order, current *atomic.Pointer[wire]) []ran {
	proxy, err := url.Parse(asked.Proxy)
	if err != nil {
		log.Fatal(err)
	}
	bundle, err := os.ReadFile(asked.Bundle)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	transport := &rotating{}
	vcr, err := recorder.New(asked.Cassette, recorder.WithMode(recorder.ModeRecordOnly),
		recorder.WithRealTransport(transport), recorder.WithHook(asked.keep, recorder.BeforeSaveHook))
	if err != nil {
		log.Fatal(err)
	}
	results := []ran{}
	stored := 0
	count := func(*cassette.Interaction) error { stored++; return nil }
	recorder.WithHook(count, recorder.AfterCaptureHook)(vcr)
	for _, c := range append(cases(), openaiCases()...) {
		if len(asked.Only) > 0 && !slices.Contains(asked.Only, c.name) || slices.Contains(asked.Without, c.name) {
			continue
		}
		current.Store(&wire{answers: c.answers, scheme: "http"})
		transport.Transport = &http.Transport{
			Proxy:             http.ProxyURL(proxy),
			ForceAttemptHTTP2: c.http2,
			TLSClientConfig:   &tls.Config{RootCAs: roots},
		}
		stored = 0
		result := ran{Name: c.name}
		if err := c.play(&http.Client{Transport: vcr, Timeout: 10 * time.Second}); err != nil {
			result.Error = err.Error()
		}
		result.Stored = stored
		results = append(results, result)
		transport.CloseIdleConnections()
	}
	if err := vcr.Stop(); err != nil {
		log.Fatal(err)
	}
	return results
}

// play has the client do what the case says.
func (c testCase) play(client *http.Client) error {
	if c.program != nil {
		return c.program(client)
	}
	response, err := client.Do(c.request())
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// keep is the usual hook of a test suite: an allow-list of headers.
func (o order) keep(i *cassette.Interaction) error {
	i.Request.Headers = kept(i.Request.Headers, o.Request)
	i.Response.Headers = kept(i.Response.Headers, o.Response)
	return nil
}

func kept(headers http.Header, names []string) http.Header {
	if len(names) == 0 {
		return headers
	}
	some := http.Header{}
	for _, name := range names {
		if values, ok := headers[name]; ok {
			some[name] = values
		}
	}
	return some
}

func lent() (tls.Certificate, *x509.Certificate) {
	server := httptest.NewTLSServer(nil) // its certificate is for example.com
	defer server.Close()
	return server.TLS.Certificates[0], server.Certificate()
}
