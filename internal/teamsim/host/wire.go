package host

import (
	"encoding/binary"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

const (
	headerBytes     = 48
	packedMax       = 64 << 10
	flagSilence     = 1
	flagKey         = 2
	flagAfterGap    = 4
	malformedBytes  = frameBytes - 2
	strayHandle     = 0xDEADBEEF
	messagesInAPass = 16
)

// A packer packs frames into messages.
type packer struct {
	out  []*pb.FromHost
	bufs [][]byte // reused from pass to pass: Send has encoded them when it returns
	used int
	cur  []byte
}

// reset makes the packer ready for the next pass.
func (p *packer) reset() {
	p.out, p.used, p.cur = p.out[:0], 0, nil
}

// full: enough for one pass.
func (p *packer) full() bool { return len(p.out) >= messagesInAPass }

func (p *packer) message(m *pb.FromHost) {
	p.flush()
	p.out = append(p.out, m)
}

// flush ends the message that frames are packed into.
func (p *packer) flush() {
	if len(p.cur) == 0 {
		return
	}
	p.bufs[p.used-1] = p.cur
	p.out = append(p.out, &pb.FromHost{Message: &pb.FromHost_Frames{Frames: &pb.Frames{Packed: p.cur}}})
	p.cur = nil
}

// senderKnown is the position from which on the sender's time is told of unmixed
// audio: the platform needs some seconds to know it.
const senderKnown = 4 * 50 * FrameSamples

// A shot is one frame as it goes out.
type shot struct {
	handle   uint32
	seq      uint64
	stream   Stream
	time     int64
	sender   int64
	position int64
	flags    byte
	bytes    int // of payload, where it is audio
	picture  *Picture
	socket   uint8
}

func (p *packer) frame(a *Audio, f shot) {
	width, height := uint16(0), uint16(0)
	if f.picture != nil {
		f.bytes, width, height = len(f.picture.Data), f.picture.Width, f.picture.Height
		if f.picture.Key {
			f.flags |= flagKey
		}
	}
	if len(p.cur)+headerBytes+f.bytes > packedMax {
		p.flush()
	}
	if p.cur == nil {
		if p.used == len(p.bufs) {
			p.bufs = append(p.bufs, make([]byte, 0, packedMax))
		}
		p.cur = p.bufs[p.used][:0]
		p.used++
	}
	start := len(p.cur)
	b := binary.LittleEndian.AppendUint32(p.cur, uint32(f.bytes)) //nolint:gosec // at most a picture of some 100 KiB
	b = binary.LittleEndian.AppendUint32(b, f.handle)
	b = binary.LittleEndian.AppendUint64(b, f.seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.time))   //nolint:gosec // two's complement is what the wire wants
	b = binary.LittleEndian.AppendUint64(b, uint64(f.sender)) //nolint:gosec // as above
	b = binary.LittleEndian.AppendUint32(b, f.stream.Source)
	b = append(b, f.stream.Kind, f.flags, f.socket, 0)
	b = binary.LittleEndian.AppendUint16(b, width)
	b = binary.LittleEndian.AppendUint16(b, height)
	b = append(b, 0, 0, 0, 0)
	if f.picture != nil {
		p.cur = append(b, f.picture.Data...)
		return
	}
	b, silent := a.appendBytes(b, f.position, f.bytes)
	if silent {
		b[start+37] |= flagSilence
	}
	p.cur = b
}

func gapReason(name string) (pb.Gap_Reason, bool) {
	switch name {
	case "", "overflow":
		return pb.Gap_REASON_OVERFLOW, true
	case "platform":
		return pb.Gap_REASON_PLATFORM, true
	case "host":
		return pb.Gap_REASON_HOST, true
	default:
		return pb.Gap_REASON_UNSPECIFIED, false
	}
}

func gapMessage(handle uint32, g GapRecord) *pb.FromHost {
	reason, _ := gapReason(g.Reason)
	return &pb.FromHost{Message: &pb.FromHost_Gap{Gap: &pb.Gap{
		Handle: handle, Kind: uint32(g.Stream.Kind), SourceId: g.Stream.Source, FirstSeq: g.FirstSeq, Count: g.Count,
		FromTime: g.From, ToTime: g.To, Reason: reason,
	}}}
}
