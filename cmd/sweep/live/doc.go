// Package live serves the pages of a root's sweeps over HTTP and keeps them fresh by server-sent events.
//
// It only reads: the database is opened for reading, and looked at while somebody listens and something was written (store.Watch). What
// is sent are the parts of package page that differ from what was sent before. A part is made again after at most a tenth of the time
// that making it takes, so that watching never competes with training.
//
// Everything is there for GET and HEAD alone, with a Content-Security-Policy, without CORS. On a loopback address the request's Host must
// be one too, so that no page from elsewhere reads it by a name that it makes point here (DNS rebinding); elsewhere a token is needed.
//
// The stream is a few lines of net/http: each event is one part as JSON, which the page puts in place.
package live
