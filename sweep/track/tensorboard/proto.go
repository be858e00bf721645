package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ranksweep/ranksweep/sweep/track/wire"
)

// Fields of tensorflow.Event, Summary.Value, SummaryMetadata, TensorProto and of hparams' HParamsPluginData.
const (
	eventTime, eventStep, eventFileVersion, eventSummary, eventSessionLog = 1, 2, 3, 5, 7

	summaryValue, valueTag, valueSimple, valueTensor, valueMetadata = 1, 1, 2, 8, 9

	metadataPlugin, pluginName, pluginContent = 1, 1, 2

	tensorType, tensorShape, tensorStrings, shapeDim, typeFloat, typeString = 1, 2, 8, 2, 1, 7

	sessionStatus, sessionStart = 1, 1

	hparamsVersion, hparamsStart, hparamsEnd = 1, 3, 4
	startHparams, startTime                  = 1, 5
	endStatus, endTime                       = 1, 2
	mapKey, mapValue                         = 1, 2
	valueNumber, valueString                 = 2, 3 // of google.protobuf.Value
)

// event is an Event with what it carries.
func event(at time.Time, step int, field protowire.Number, body []byte) wire.Message {
	return wire.Message(nil).Double(eventTime, seconds(at)).Integer(eventStep, uint64(max(step, 0))).Bytes(field, body)
}

func seconds(at time.Time) float64 { return float64(at.UnixNano()) / float64(time.Second) }

// plugin is a Summary.Value of a plug-in of TensorBoard.
func plugin(tag, name string, content []byte, tensor wire.Message) wire.Message {
	metadata := wire.Message(nil).Bytes(metadataPlugin, wire.Message(nil).Text(pluginName, name).Bytes(pluginContent, content))
	return wire.Message(nil).Text(valueTag, tag).Bytes(valueMetadata, metadata).Bytes(valueTensor, tensor)
}

// appendRecord frames data as a TFRecord.
func appendRecord(file, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	file = append(file, length...)
	file = binary.LittleEndian.AppendUint32(file, masked(length))
	file = append(file, data...)
	return binary.LittleEndian.AppendUint32(file, masked(data))
}

// masked is the CRC-32C of data, rotated and shifted, so that CRCs of data that hold CRCs are sound (tensorflow/core/lib/hash/crc32c.h).
func masked(data []byte) uint32 {
	const delta, rotated, bits = 0xa282ead8, 15, 32
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return crc>>rotated | crc<<(bits-rotated) + delta
}
