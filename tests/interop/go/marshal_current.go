//go:build !previous

package main

import (
	"go.yaml.in/yaml/v4"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
)

// marshal is what yaml.Marshal does since go-yaml v4.0.0-rc.5 (version 3's defaults and no line width), with an indent.
func marshal(indent int, compact bool) cassette.MarshalFunc {
	if indent == 4 && !compact {
		return yaml.Marshal
	}
	return func(in any) ([]byte, error) {
		return yaml.Dump(in, yaml.WithV3Defaults(), yaml.WithLineWidth(-1),
			yaml.WithIndent(indent), yaml.WithCompactSeqIndent(compact))
	}
}
