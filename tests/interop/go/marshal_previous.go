//go:build previous

package main

import (
	"bytes"

	"go.yaml.in/yaml/v4"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
)

// marshal is the encoder of go-yaml v4.0.0-rc.3 with an indent, as charmbracelet's recorder has it.
func marshal(indent int, compact bool) cassette.MarshalFunc {
	if indent == 4 && !compact {
		return yaml.Marshal
	}
	return func(in any) ([]byte, error) {
		var out bytes.Buffer
		encoder := yaml.NewEncoder(&out)
		encoder.SetIndent(indent)
		if compact {
			encoder.CompactSeqIndent()
		}
		if err := encoder.Encode(in); err != nil {
			return nil, err
		}
		err := encoder.Close()
		return out.Bytes(), err
	}
}
