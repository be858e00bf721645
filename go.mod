module github.com/ranksweep/ranksweep

go 1.26.7

require (
	charm.land/bubbletea/v2 v2.1.1 // the full screen of sweep watch: keys, size, drawing
	charm.land/lipgloss/v2 v2.1.0 // its colours and boxes
	github.com/andybalholm/brotli v1.2.6 // brotli pages of parquet
	github.com/bmatcuk/doublestar/v4 v4.10.4 // globs in the cards of hub data sets: ** and classes
	github.com/charmbracelet/x/ansi v0.11.9 // widths and cuts of text in a terminal, escape sequences and wide characters included
	github.com/chromedp/cdproto v0.159.0 // tests: the browser's protocol
	github.com/chromedp/chromedp v0.23.0 // tests: pages in a headless browser
	github.com/clipperhouse/uax29/v2 v2.7.0 // characters as people see them, which SentencePiece's normalizers replace whole
	github.com/creack/pty v1.1.24 // tests: terminals of any width
	github.com/dlclark/regexp2/v2 v2.13.0 // splitting patterns of tokenizers, which look ahead
	github.com/goccy/go-yaml v1.19.2 // grid files: errors with line and column
	github.com/gofrs/flock v0.13.0 // locks of corpora and installs that several processes share
	github.com/gomlx/compute v0.1.6 // backend interface and the pure-Go backend; the four gomlx modules work together at exactly these versions
	github.com/gomlx/go-huggingface v0.4.3 // hub downloads and cache
	github.com/gomlx/go-xla v0.4.5 // XLA through PJRT plug-ins; successor of gopjrt
	github.com/gomlx/gomlx v0.28.8 // graphs and autodiff; do not go below v0.28.8, whose gradient of DotGeneral is the first to fit memory
	github.com/google/go-cmp v0.7.0 // tests: readable differences
	github.com/hanwen/go-fuse/v2 v2.12.1 // tests: a disk in user space that loses power, fills and fails
	github.com/jedib0t/go-pretty/v6 v6.8.3 // tables
	github.com/klauspost/compress v1.20.1 // .zst files; snappy and zstd pages of parquet, unpacked within limits
	github.com/mattn/go-sqlite3 v1.14.53 // the store
	github.com/parquet-go/parquet-go v0.32.0 // parquet files: their metadata; tests write with it
	github.com/pierrec/lz4/v4 v4.1.33 // LZ4 pages of parquet
	github.com/pressly/goose/v3 v3.29.0 // numbered migrations of the store
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.2 // tests: the JSON Schemas of the grid and of outputs
	github.com/spf13/cobra v1.10.2 // command line
	github.com/spf13/pflag v1.0.10 // the flags of cobra's commands
	github.com/spf13/viper v1.21.0 // tool settings: flag, environment, file
	github.com/vbauerster/mpb/v8 v8.16.2 // progress bars
	golang.org/x/sync v0.24.0 // errgroup: the calibration's simulations
	golang.org/x/sys v0.49.0 // file locks, cores, signals
	golang.org/x/term v0.47.0 // is this a terminal, and how wide
	golang.org/x/text v0.43.0 // reading U+FFFD as tokenizers do
	gonum.org/v1/gonum v0.17.0 // Student's t, digamma, least squares
	google.golang.org/protobuf v1.36.12 // protowire: the records of TensorBoard and Weights & Biases
	pgregory.net/rapid v1.3.0 // tests: properties
)

require (
	github.com/VividCortex/ewma v1.2.0 // indirect
	github.com/acarl005/stripansi v0.0.0-20180116102854-5a71ef0e047d // indirect
	github.com/charmbracelet/colorprofile v0.4.3 // indirect
	github.com/charmbracelet/ultraviolet v0.0.0-20261008173134-6b8d4baf91b4 // indirect
	github.com/charmbracelet/x/term v0.2.2 // indirect
	github.com/charmbracelet/x/termios v0.1.1 // indirect
	github.com/charmbracelet/x/windows v0.2.2 // indirect
	github.com/clipperhouse/displaywidth v0.11.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.6 // indirect
	github.com/fsnotify/fsnotify v1.9.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-viper/mapstructure/v2 v2.4.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/lucasb-eyer/go-colorful v1.4.1 // indirect
	github.com/mattn/go-runewidth v0.0.30 // indirect
	github.com/mfridman/interpolate v0.0.2 // indirect
	github.com/muesli/cancelreader v0.2.2 // indirect
	github.com/parquet-go/bitpack v1.0.0 // indirect
	github.com/parquet-go/jsonlite v1.5.0 // indirect
	github.com/pelletier/go-toml/v2 v2.2.4 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/sagikazarmark/locafero v0.11.0 // indirect
	github.com/sethvargo/go-retry v0.5.0 // indirect
	github.com/sourcegraph/conc v0.3.1-0.20240121214520-5f936abd7ae8 // indirect
	github.com/spf13/afero v1.15.0 // indirect
	github.com/spf13/cast v1.10.0 // indirect
	github.com/subosito/gotenv v1.6.0 // indirect
	github.com/twpayne/go-geom v1.6.1 // indirect
	github.com/vbauerster/cupwriter v0.0.5 // indirect
	github.com/xo/terminfo v1.0.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20261011100332-faecfb24eb49 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
)
