package graph

import (
	"fmt"
	"slices"
	"strings"
)

// The names of the clouds, as in the configuration key "cloud".
const (
	CloudGlobal  = "global"
	CloudUSGovL4 = "usgov-l4"
	CloudUSGovL5 = "usgov-l5"
	CloudChina   = "china"
)

// A Cloud says where one of Microsoft's national clouds lives. Tokens of one
// are worth nothing in another.
type Cloud struct {
	Name      string
	Graph     string // root, without version
	Authority string // root, without tenant
}

// CloudEndpoints returns the cloud of that name; the empty name is the global
// one. Source: Graph, "National cloud deployments".
func CloudEndpoints(name string) (Cloud, error) {
	if name == "" {
		name = CloudGlobal
	}
	for _, c := range clouds() {
		if c.Name == name {
			return c, nil
		}
	}
	return Cloud{}, fmt.Errorf("graph: unknown cloud %q: use one of %s", name, strings.Join(CloudNames(), ", "))
}

// CloudNames lists the clouds in the order of their documentation.
func CloudNames() []string {
	var names []string
	for c := range slices.Values(clouds()) {
		names = append(names, c.Name)
	}
	return names
}

func clouds() []Cloud {
	return []Cloud{
		{Name: CloudGlobal, Graph: "https://graph.microsoft.com", Authority: "https://login.microsoftonline.com"},
		{Name: CloudUSGovL4, Graph: "https://graph.microsoft.us", Authority: "https://login.microsoftonline.us"},
		{Name: CloudUSGovL5, Graph: "https://dod-graph.microsoft.us", Authority: "https://login.microsoftonline.us"},
		{Name: CloudChina, Graph: "https://microsoftgraph.chinacloudapi.cn", Authority: "https://login.chinacloudapi.cn"},
	}
}
