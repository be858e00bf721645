// Package page writes a sweep's report as one HTML file: charts, tables and the arithmetic behind the verdicts, for screens from a phone
// up and for paper. It asks nothing of the network, and its Content-Security-Policy forbids it.
//
// Everything is made here, charts included, and the file's script only filters, sorts and switches colours: so the page prints,
// reads without JavaScript, and a server can keep it fresh by replacing its sections: elements with an id, one template each, whose script
// is a function each.
//
// Charts are SVG of our own rather than a library's. uPlot draws on a canvas, which has no text alternatives and blurs on paper; gonum/plot
// fixes sizes and colours, which a page for phones and dark rooms cannot. Here the drawing stretches with its box (lines keep their width
// by vector-effect), labels are HTML at shares of it, and colours come from CSS.
//
// Sentences, tables and formatted numbers are package report's. The file also carries the report as `sweep report -o json` prints it,
// with the curves beside it, in the element with the id data.
//
// Main path:
//
//	err := page.Write(w, snapshot, page.Beside{TrainLosses: losses})
package page
