package link

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
)

// What a host sends before consent is discarded, and should not lie about in our
// memory either. On its way a frame lies in four places where it can be read: the TLS
// connection's buffer, where it is decrypted in place; the transport's read buffer; a
// buffer of the transport's pool, or, below 1 KiB, one of its own; ours. Each of them
// is zeroed at the latest when the next record is waited for. That is done for every
// message: it costs one memclr for each copy, and nobody has to know which message it
// was.
//
// What can remain is what was in a thread's vector registers when a signal came, 256
// bytes at most, on the thread's signal stack until its next signal; and what the
// kernel has not handed over. No such memory is ever dumped: the command sees to it.

const (
	// readBuffer is the transport's: a TLS record, more never comes at once. It is
	// zeroed before each read, so it should not be larger.
	readBuffer = 16 << 10
	// cipherBuffer is what is read of the network at once.
	cipherBuffer = 64 << 10
	recordHeader = 5 // bytes: type, version, length (RFC 8446 §5.1)
)

// scrubbing are transport credentials whose connections forget what was read.
type scrubbing struct {
	credentials.TransportCredentials
}

// ClientHandshake wraps the connection on both sides of TLS.
func (s scrubbing) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := s.TransportCredentials.ClientHandshake(ctx, authority, newRecords(raw))
	if err != nil {
		return nil, nil, err
	}
	return forgetful{conn}, info, nil
}

// Clone implements credentials.TransportCredentials.
func (s scrubbing) Clone() credentials.TransportCredentials {
	return scrubbing{s.TransportCredentials.Clone()}
}

// forgetful zeroes the room that it is given to read into, all of which is a
// reader's to use (io.Reader): a buffer that is used again and again holds nothing
// of what was there before while the next is waited for.
type forgetful struct{ net.Conn }

// Read implements net.Conn.
func (c forgetful) Read(p []byte) (int, error) {
	clear(p)
	return c.Conn.Read(p)
}

// records hands out TLS records, never more than one at a time, and zeroes the room
// for them first. crypto/tls decrypts them where they lie, in a buffer that it moves
// when it becomes too small: what is left behind then is what nobody has decrypted
// yet.
type records struct {
	net.Conn

	in   *bufio.Reader // still encrypted
	left int           // bytes of the record that are to come
}

func newRecords(raw net.Conn) *records {
	return &records{Conn: raw, in: bufio.NewReaderSize(forgetful{raw}, cipherBuffer)}
}

// Read implements net.Conn.
func (r *records) Read(p []byte) (int, error) {
	clear(p)
	if r.left == 0 {
		head, err := r.in.Peek(recordHeader)
		switch {
		case err != nil && len(head) > 0 && errors.Is(err, io.EOF):
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		}
		r.left = recordHeader + int(binary.BigEndian.Uint16(head[recordHeader-2:]))
	}
	n, err := r.in.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// scrubbedPool zeroes what comes back.
type scrubbedPool struct{ mem.BufferPool }

func newScrubbedPool() mem.BufferPool {
	return scrubbedPool{mem.NewTieredBufferPool(1<<10, 4<<10, 16<<10, 64<<10, 256<<10, 1<<20)}
}

// Put implements mem.BufferPool.
func (p scrubbedPool) Put(b *[]byte) {
	clear((*b)[:cap(*b)])
	p.BufferPool.Put(b)
}

// take copies data to dst and zeroes it. gRPC asks that nobody alters such a buffer
// since others may hold it too; of a message that is being received nobody does:
// the codec is the only reader, and it is called once.
func take(dst []byte, data mem.BufferSlice) {
	for _, b := range data {
		part := b.ReadOnlyData()
		dst = dst[copy(dst, part):]
		clear(part)
	}
}
