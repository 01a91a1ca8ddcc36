// Package deploytest checks what is in deploy and the Dockerfile.
//
// Its law: everything that can be checked without a cluster, a container engine
// or a tenant is checked by the real thing: Helm's engine renders the chart,
// Kubernetes' own types take its objects strictly, promtool runs the alerts'
// tests, the Dockerfile's own command builds the binary, and that binary judges
// the configuration that the chart writes.
//
// It lives in the module of the tools, so that none of their libraries is one
// of the product's.
package deploytest
