// Package hub finds models and data sets of the Hugging Face hub, in the cache that Hugging Face's own tools use, and fetches what is
// not there.
//
// What is in the cache is used as it is, so that a sweep resumed later trains on the same weights and rows. A data set's card (the head
// of its README.md), else the names of its files, say which files make which split.
//
//	client := hub.FromEnv(os.Getenv)
//	folder, err := client.Model(ctx, "openai-community/gpt2", true)
//	files, err := client.DataFiles(ctx, "owner/set", "", "train")
package hub
