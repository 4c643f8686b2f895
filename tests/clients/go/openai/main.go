// The OpenAI SDK: asks what each of the files that are named says, prints a line for each piece, and then the answer.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

type answer struct {
	Text   string      `json:"text"`
	Calls  [][2]string `json:"calls"`
	Tokens int64       `json:"tokens"`
}

func main() {
	var options []option.RequestOption
	if os.Getenv("OPENAI_BASE_URL") == "" {
		options = append(options, option.WithBaseURL("https://openrouter.ai/api/v1"))
	}
	client := openai.NewClient(options...)
	fmt.Printf("%s\x00", version())
	for _, name := range os.Args[1:] {
		said, err := ask(client, name)
		if err != nil {
			log.Fatal(err)
		}
		line, _ := json.Marshal(said)
		fmt.Printf("%s\x00", line)
	}
}

func ask(client openai.Client, name string) (answer, error) {
	body, err := os.ReadFile(name)
	if err != nil {
		return answer{}, err
	}
	var how struct {
		Stream bool `json:"stream"`
	}
	var params openai.ChatCompletionNewParams
	if err := json.Unmarshal(body, &how); err != nil {
		return answer{}, err
	}
	if err := json.Unmarshal(body, &params); err != nil {
		return answer{}, err
	}
	if how.Stream {
		return streamed(client, params)
	}
	return whole(client, params)
}

func whole(client openai.Client, params openai.ChatCompletionNewParams) (answer, error) {
	completion, err := client.Chat.Completions.New(context.Background(), params)
	if err != nil {
		return answer{}, err
	}
	return said(completion.Choices[0].Message, completion.Usage.TotalTokens), nil
}

func streamed(client openai.Client, params openai.ChatCompletionNewParams) (answer, error) {
	stream := client.Chat.Completions.NewStreaming(context.Background(), params)
	var sum openai.ChatCompletionAccumulator
	for stream.Next() {
		fmt.Println("piece")
		sum.AddChunk(stream.Current())
	}
	if stream.Err() != nil {
		return answer{}, stream.Err()
	}
	return said(sum.Choices[0].Message, sum.Usage.TotalTokens), nil
}

func said(message openai.ChatCompletionMessage, tokens int64) answer {
	calls := [][2]string{}
	for _, call := range message.ToolCalls {
		calls = append(calls, [2]string{call.Function.Name, call.Function.Arguments})
	}
	return answer{Text: message.Content, Calls: calls, Tokens: tokens}
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if strings.HasPrefix(module.Path, "github.com/openai/openai-go") {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return ""
}
