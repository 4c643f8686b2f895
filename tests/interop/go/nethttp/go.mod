module recorder/nethttp

go 1.24.0

require (
	golang.org/x/net v0.47.0
	gopkg.in/dnaeon/go-vcr.v4 v4.0.7
)

require (
	go.yaml.in/yaml/v4 v4.0.0-rc.6 // indirect
	golang.org/x/text v0.31.0 // indirect
)
