// Package backendtest helps tests that compute.
package backendtest
