// Package replay runs openai-go against a cassette of ours that was recorded from Python, as a Go program's tests would.
//
// RECORDED names a JSON file that says where the cassette is, and what the Python program sent and got.
package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"
)

type call struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// turn is what a program got of an answer. Usage counts prompt, completion and total tokens.
type turn struct {
	Text   string   `json:"text"`
	Finish string   `json:"finish"`
	Calls  []call   `json:"calls"`
	Usage  [3]int64 `json:"usage"`
}

type recorded struct {
	Cassette string              `json:"cassette"` // name without .yaml
	BaseURL  string              `json:"base_url"`
	Sent     []string            `json:"sent"`    // the bodies,
	Headers  []map[string]string `json:"headers"` // and the headers that a cassette keeps
	Turns    []turn              `json:"turns"`
}

func read(t *testing.T) recorded {
	name := os.Getenv("RECORDED")
	if name == "" {
		t.Skip("RECORDED is not set; tests/interop/test_go_replays.py runs this")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var told recorded
	if err := json.Unmarshal(data, &told); err != nil {
		t.Fatal(err)
	}
	return told
}

func replaying(t *testing.T, told recorded, options ...recorder.Option) *recorder.Recorder {
	vcr, err := recorder.New(told.Cassette, append(options, recorder.WithMode(recorder.ModeReplayOnly), recorder.WithSkipRequestLatency(true))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vcr.Stop(); err != nil {
			t.Error(err)
		}
	})
	return vcr
}

func client(told recorded, transport http.RoundTripper) openai.Client {
	return openai.NewClient(option.WithBaseURL(told.BaseURL), option.WithAPIKey("none"), option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: transport}))
}

// weather is the conversation's request, as a Go program makes it.
func weather(messages []openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    "x-ai/grok-code-fast-1",
		Messages: messages,
		Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
			Name:        "weather",
			Description: openai.String("Get weather information for a location"),
			Parameters: openai.FunctionParameters{
				"type":       "object",
				"properties": map[string]any{"location": map[string]any{"type": "string", "description": "the city"}},
				"required":   []string{"location"},
			},
		})},
	}
}

// ask makes one turn, streamed or not.
func ask(t *testing.T, client openai.Client, params openai.ChatCompletionNewParams, streamed bool, options ...option.RequestOption) (turn, openai.ChatCompletionMessage) {
	t.Helper()
	completion := &openai.ChatCompletion{}
	if streamed {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		stream := client.Chat.Completions.NewStreaming(context.Background(), params, options...)
		added := openai.ChatCompletionAccumulator{}
		for stream.Next() {
			added.AddChunk(stream.Current())
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		completion = &added.ChatCompletion
	} else {
		var err error
		if completion, err = client.Chat.Completions.New(context.Background(), params, options...); err != nil {
			t.Fatal(err)
		}
	}
	choice, usage := completion.Choices[0], completion.Usage
	got := turn{Text: choice.Message.Content, Finish: string(choice.FinishReason), Calls: []call{},
		Usage: [3]int64{usage.PromptTokens, usage.CompletionTokens, usage.TotalTokens}}
	for _, one := range choice.Message.ToolCalls {
		got.Calls = append(got.Calls, call{one.ID, one.Function.Name, one.Function.Arguments})
	}
	return got, choice.Message
}

func expect(t *testing.T, number int, told recorded, got turn) {
	t.Helper()
	if !reflect.DeepEqual(told.Turns[number], got) {
		t.Errorf("turn %d: Python got %+v, Go got %+v", number, told.Turns[number], got)
	}
}

// sameJSON matches by method, URL, and the body as JSON: what a program in another language recorded is found, too.
func sameJSON(r *http.Request, i cassette.Request) bool {
	if r.Method != i.Method || r.URL.String() != i.URL {
		return false
	}
	var asked, recorded any
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && json.Unmarshal(body, &asked) == nil && json.Unmarshal([]byte(i.Body), &recorded) == nil &&
		reflect.DeepEqual(asked, recorded)
}

// The Go program writes the conversation itself, and goes on from the answers that it gets.
func TestJSONMatcher(t *testing.T) {
	told := read(t)
	client := client(told, replaying(t, told, recorder.WithMatcher(sameJSON)))
	number := 0
	for _, streamed := range []bool{true, false} {
		messages := []openai.ChatCompletionMessageParamUnion{
			openai.SystemMessage("You are a helpful assistant"), openai.UserMessage("What's the weather in Florence, Italy?"),
		}
		for range 2 {
			got, message := ask(t, client, weather(messages), streamed)
			expect(t, number, told, got)
			messages = append(messages, message.ToParam())
			for _, one := range message.ToolCalls {
				messages = append(messages, openai.ToolMessage("40 °C & <sunny> 😀", one.ID))
			}
			number++
		}
	}
	if number != len(told.Turns) {
		t.Errorf("Python had %d turns, Go had %d", len(told.Turns), number)
	}
}

// asRecorded sends the headers that the cassette has: the default matcher wants all of them, and no others.
type asRecorded struct {
	http.RoundTripper
	headers []map[string]string
}

func (a *asRecorded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header = http.Header{}
	for name, value := range a.headers[0] {
		r.Header.Set(name, value)
	}
	a.headers = a.headers[1:]
	return a.RoundTripper.RoundTrip(r)
}

// Header by header and byte by byte: openai-go sends what Python sent.
func TestDefaultMatcher(t *testing.T) {
	told := read(t)
	client := client(told, &asRecorded{replaying(t, told), told.Headers})
	for number, body := range told.Sent {
		got, _ := ask(t, client, openai.ChatCompletionNewParams{}, number < 2, option.WithRequestBody("application/json", []byte(body)))
		expect(t, number, told, got)
	}
}

// A cassette that is used up, or a request that is not in it, is an error, not an answer.
func TestMiss(t *testing.T) {
	told := read(t)
	client := client(told, replaying(t, told, recorder.WithMatcher(sameJSON)))
	params := weather([]openai.ChatCompletionMessageParamUnion{openai.UserMessage("something else")})
	if _, err := client.Chat.Completions.New(context.Background(), params); err == nil {
		t.Error("an answer to a question that nobody asked")
	}
}
