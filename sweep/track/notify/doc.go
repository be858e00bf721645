// Package notify tells people what happens in a sweep: a webhook gets JSON, a command gets it on its standard input.
//
// Events are told of verdicts, of trials that ended without a loss, and of the end of the sweep. They follow from the facts, each with an
// id, and those that a target was told are kept in the store (Notices): a resumed sweep tells only what is new. Told means that the command
// exits with 0, or that the webhook answers 2xx. What could not be told is tried again while the sweep runs, and when it is resumed; it
// comes twice where a target did its work and failed after it, or where this process was killed before it wrote down that it had told.
package notify
