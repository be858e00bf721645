// Package mlflow shows runs on an MLflow tracking server, by its REST API (docs/source/rest-api.rst; MLflow 3.17 in make test-tools).
//
// The experiment has the sweep's name. Each run has a tag for its sweep and one for its trial, set by the request that creates it, so that
// a run is found again whoever created it. Metrics can only be added there, so every batch of them also sets a tag that says how far the
// run is: up to which step each kind of point was taken. Where a reply was lost the tag tells whether the batch was taken, and where the
// server died within it, the same points sent again are the same rows: value, step and time follow from the facts.
//
// A request that creates a run or adds metrics is awaited, also where the sweep has ended meanwhile. Where the server does not answer it
// within 10 seconds but is still at it, what it has is asked too early: then a run may be created twice, and a server that stores files,
// not a database, may show points twice. MLflow has no request that would prevent this. Deleting one of the two runs is safe.
//
// Tags that begin with ranksweep. are the run's own: one that it no longer has is deleted. A step that a resumed trial takes again stays
// as it was first reported, for no point there can be replaced.
package mlflow
