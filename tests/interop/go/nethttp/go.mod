module recorder/nethttp

go 1.24.0

require (
	github.com/openai/openai-go/v3 v3.43.0
	golang.org/x/net v0.47.0
	gopkg.in/dnaeon/go-vcr.v4 v4.0.7
)

require (
	github.com/tidwall/gjson v1.18.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	go.yaml.in/yaml/v4 v4.0.0-rc.6 // indirect
	golang.org/x/text v0.31.0 // indirect
)
