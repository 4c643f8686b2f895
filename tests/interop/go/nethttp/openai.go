package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

// apiKey is what the client sends as its credential; the test looks for it by this value.
const apiKey = "sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

const (
	completion = `{"id":"gen-1","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"40 °C <b>& rising</b>"}}],"usage":{"total_tokens":9}}`
	called     = `{"id":"gen-1","object":"chat.completion","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"location\":\"Florence\"}"}}]}}]}`
	chunks     = ": OPENROUTER PROCESSING\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"It\"}}]}\n\n" +
		": OPENROUTER PROCESSING\n\ndata: {\"choices\":[{\"delta\":{\"content\":\" is 😀\"}}]}\n\ndata: [DONE]\n\n"
	responded = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0}\n\n" +
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":1}\n\n"
	unauthorized = `{"error":{"message":"No auth credentials found","code":401}}`
	limited      = `{"error":{"message":"Rate limit exceeded","code":429}}`
)

func chatting(text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    "x-ai/grok-code-fast-1",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
	}
}

func withTool(params openai.ChatCompletionNewParams) openai.ChatCompletionNewParams {
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name:       "weather",
		Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"location": map[string]any{"type": "string"}}},
	})}
	return params
}

type call func(context.Context, openai.Client) error

func chat(params openai.ChatCompletionNewParams, options ...option.RequestOption) call {
	return func(ctx context.Context, client openai.Client) error {
		_, err := client.Chat.Completions.New(ctx, params, options...)
		return err
	}
}

func streamed(params openai.ChatCompletionNewParams) call {
	return func(ctx context.Context, client openai.Client) error {
		stream := client.Chat.Completions.NewStreaming(ctx, params)
		for stream.Next() {
		}
		return stream.Err()
	}
}

// read is for answers that are a body and nothing more.
func read(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return err
}

func json200(body string) answer {
	return ok(body, field{"Content-Type", "application/json"})
}

func chunked(contentType, body string, headers ...field) answer {
	a := ok(body, append([]field{{"Content-Type", text(contentType)}}, headers...)...)
	a.chunked = true
	return a
}

func sized(a answer) answer {
	a.headers = append(a.headers, field{"Content-Length", text(strconv.Itoa(len(a.body)))})
	return a
}

// openaiCases is what a program with openai-go does: its calls, and the answers to them.
func openaiCases() []testCase {
	tooOften := answer{code: 429, reason: " Too Many Requests", headers: []field{{"Content-Type", "application/json"}, {"Retry-After-Ms", "1"}}, body: limited, chunked: true}
	all := []testCase{}
	for _, c := range []struct {
		name    string
		call    call
		answers []answer
	}{
		{"chat", chat(chatting("What's the weather in Florence?")), []answer{sized(json200(completion))}},
		{"chat, chunked", chat(chatting("a\nb <&> \u2028 😀\t")), []answer{chunked("application/json", "\n         \n"+completion)}},
		{"chat, gzip", chat(chatting("Hi")), []answer{chunked("application/json", gzipped(completion), field{"Content-Encoding", "gzip"}, field{"Vary", "Accept-Encoding"})}},
		{"tool call", chat(withTool(chatting("Hi"))), []answer{chunked("application/json", called)}},
		{"stream", streamed(chatting("Hi")), []answer{chunked("text/event-stream", chunks, field{"Cache-Control", "no-cache"})}},
		{"stream, gzip", streamed(chatting("Hi")), []answer{chunked("text/event-stream", gzipped(chunks), field{"Content-Encoding", "gzip"})}},
		{"stream with a tool", streamed(withTool(chatting("Hi"))), []answer{chunked("text/event-stream; charset=utf-8", chunks)}},
		{"headers and query", chat(chatting("Hi"), option.WithHeader("HTTP-Referer", "https://example.com"), option.WithHeaderAdd("X-Title", "a, b"), option.WithHeaderAdd("X-Title", "c"), option.WithQuery("beta", "true"), option.WithQueryAdd("beta", "é")), []answer{chunked("application/json", completion)}},
		{"unauthorized", chat(chatting("Hi")), []answer{sized(answer{code: 401, reason: " Unauthorized", headers: []field{{"Content-Type", "application/json"}}, body: unauthorized})}},
		{"too often, then well", chat(chatting("Hi")), []answer{tooOften, tooOften, chunked("application/json", completion)}},
		{"overloaded", chat(chatting("Hi"), option.WithMaxRetries(0)), []answer{{code: 529, reason: " ", headers: []field{{"Content-Length", "0"}}}}},
		{"moved", chat(chatting("Hi")), []answer{{code: 307, reason: " Temporary Redirect", headers: []field{{"Location", "/elsewhere"}, {"Content-Length", "0"}}}, chunked("application/json", completion)}},
		{"responses, stream", func(ctx context.Context, client openai.Client) error {
			stream := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
				Model: "gpt-5", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Hi")},
			})
			for stream.Next() {
			}
			return stream.Err()
		}, []answer{chunked("text/event-stream", responded)}},
		{"models", func(ctx context.Context, client openai.Client) error {
			_, err := client.Models.List(ctx, option.WithQuery("supported_parameters", "tools"))
			return err
		}, []answer{chunked("application/json", `{"data":[]}`)}},
		{"embeddings", func(ctx context.Context, client openai.Client) error {
			_, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "e", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "😀"}}})
			return err
		}, []answer{chunked("application/json", `{"data":[{"embedding":[0.1,-2e-7]}]}`)}},
		{"speech", func(ctx context.Context, client openai.Client) error {
			return read(client.Audio.Speech.New(ctx, openai.AudioSpeechNewParams{Input: "Hi", Model: "tts-1", Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}}))
		}, []answer{chunked("audio/mpeg", "ID3\x00\xff\xfb\n\x80")}},
		{"transcription", func(ctx context.Context, client openai.Client) error {
			file := openai.File(bytes.NewReader([]byte{0, 0xff, '\n', 0x80}), "a.mp3", "audio/mpeg")
			_, err := client.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{Model: "whisper-1", File: file})
			return err
		}, []answer{chunked("application/json", `{"text":"Hi"}`)}},
		{"file content, moved", func(ctx context.Context, client openai.Client) error {
			return read(client.Files.Content(ctx, "file-1"))
		}, []answer{{code: 302, reason: " Found", headers: []field{{"Location", "https://example.com/bucket/a?b=c"}, {"Content-Length", "0"}}}, chunked("application/octet-stream", "\x00\xff")}},
		{"file deleted", func(ctx context.Context, client openai.Client) error {
			_, err := client.Files.Delete(ctx, "file-1")
			return err
		}, []answer{sized(json200(`{"id":"file-1","deleted":true}`))}},
	} {
		for _, version := range []string{"h1", "h2"} {
			one := testCase{name: version + " openai: " + c.name, http2: version == "h2", program: program(c.call)}
			for _, a := range c.answers {
				if one.http2 {
					a = lowered(a)
				} else if a.chunked {
					a.headers = append([]field{{"Transfer-Encoding", "chunked"}}, a.headers...)
				}
				one.answers = append(one.answers, a)
			}
			all = append(all, one)
		}
	}
	return all
}

// program makes the call as a program does; that the API refuses it is an answer, too.
func program(make call) func(*http.Client) error {
	return func(client *http.Client) error {
		err := make(context.Background(), openai.NewClient(option.WithHTTPClient(client), option.WithAPIKey(apiKey), option.WithBaseURL(h2+"/api/v1/")))
		var refused *openai.Error
		if errors.As(err, &refused) {
			return nil
		}
		return err
	}
}
