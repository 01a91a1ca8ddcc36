package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The handover's protocol: one line of JSON each way in turn, over a Unix socket
// that only our own user can open. It may grow; members that are not known are
// passed over. The order:
//
//	new ▶ old  request   who I am, and what I have for spool and catalogue
//	old ▶ new  offer     no and why; or yes, with the listening sockets (SCM_RIGHTS)
//	new ▶ old  accept    I have them. Until here either can leave, and nothing changed
//	old ▶ new  done      nothing of mine is open any more: recover
//	new ▶ old  ready     I answer: go
const handoverProtocol = 1

// The bounds of its steps.
const (
	handoverLine   = 64 << 10         // bytes of a message
	handoverSpeak  = 5 * time.Second  // between two messages that cost nobody work
	handoverAccept = 30 * time.Second // the new process gets its tokens
	handoverDone   = time.Minute      // the old one lets go
	handoverReady  = 2 * time.Minute  // the new one has recovered
	mostDoors      = 8                // listening sockets
)

// A handoverRequest is what the new process says of itself.
type handoverRequest struct {
	Protocol  int    `json:"protocol"`
	Version   string `json:"version"`
	PID       int    `json:"pid"`
	Spool     string `json:"spool"`     // absolute, without symbolic links
	Catalogue string `json:"catalogue"` // the same, after its scheme
}

// A handoverOffer is the old one's answer.
type handoverOffer struct {
	Refused string         `json:"refused,omitempty"` // why not, and what to do
	Version string         `json:"version,omitempty"`
	PID     int            `json:"pid,omitempty"`
	Doors   []handoverDoor `json:"doors,omitempty"` // in the order of the descriptors
}

// A handoverDoor is one listening socket.
type handoverDoor struct {
	Name    string `json:"name"`    // callbacks, console or ops
	Address string `json:"address"` // as configured
}

// A handoverWord is any of the others.
type handoverWord struct {
	Accept bool   `json:"accept,omitempty"`
	Done   bool   `json:"done,omitempty"`
	Calls  int    `json:"calls,omitempty"` // that were left
	Fault  string `json:"fault,omitempty"` // of letting go
	Ready  bool   `json:"ready,omitempty"`
}

// say sends a message, with descriptors where there are any.
func say(conn *net.UnixConn, message any, files ...*os.File) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err = conn.SetWriteDeadline(time.Now().Add(handoverSpeak)); err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	line = append(line, '\n')
	n, _, err := conn.WriteMsgUnix(line, rights, nil)
	if err == nil && n < len(line) { // the rights went with the first byte
		_, err = conn.Write(line[n:])
	}
	return err
}

// hear reads a message and the descriptors that came with it, which are then the
// caller's, also on error.
func hear(conn *net.UnixConn, limit time.Duration, message any) (files []*os.File, err error) {
	if err = conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	var line []byte
	part, rights := make([]byte, 4<<10), make([]byte, unix.CmsgSpace(4*mostDoors))
	for len(line) == 0 || line[len(line)-1] != '\n' {
		n, m, _, _, err := conn.ReadMsgUnix(part, rights)
		more, bad := filesOf(rights[:m])
		files = append(files, more...)
		switch {
		case err != nil:
			return files, err
		case bad != nil:
			return files, bad
		case n == 0:
			return files, io.ErrUnexpectedEOF
		case len(line)+n > handoverLine:
			return files, errors.New("the message is too long")
		}
		line = append(line, part[:n]...)
	}
	return files, json.Unmarshal(line, message)
}

func filesOf(rights []byte) (files []*os.File, err error) {
	if len(rights) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // of another kind
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "handover"))
		}
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// sameUser reports whether the process at the other end is our own user's.
func sameUser(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { peer, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	switch {
	case err != nil:
		return err
	case asked != nil:
		return asked
	case int(peer.Uid) != os.Getuid():
		return fmt.Errorf("a process of user %d has asked; this one is of user %d", peer.Uid, os.Getuid())
	}
	return nil
}
