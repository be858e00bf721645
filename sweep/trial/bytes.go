package trial

import "fmt"

// FormatBytes writes a size in the binary unit that keeps it readable: 512 B, 8 GiB, 1.5 MiB, 12 GiB. A whole number of units below
// ten has no decimal, so that a size stands as a person wrote it.
func FormatBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 && n > -1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for (value >= 1023.5 || value <= -1023.5) && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	if value >= 9.95 || value <= -9.95 || value == float64(int64(value)) {
		return fmt.Sprintf("%.0f %ciB", value, units[unit])
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
