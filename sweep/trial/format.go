package trial

// IgnoredLabel is the label of a position that is not scored (Hugging Face's and PyTorch's ignore_index).
const IgnoredLabel = -100
