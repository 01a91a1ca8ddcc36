package recorder

import (
	"fmt"
	"slices"
	"strings"
)

// A wording is how people read an event of the table.
type wording struct {
	from   string // the states where it means that, with spaces; empty: any
	event  string // how the line begins
	brief  string // on an edge of the diagram
	detail string
}

// wordings are tried in order.
func wordings() []wording {
	const (
		over, fails, answered, late = "call over", "failure", "Teams has answered", "time is up"
		op                          = "StatusReplied{Operation:Operation{ID:op Context:c/1/recording Progress:"
		on200                       = " Receipt:Receipt{HTTPStatus:200}}}"
	)
	return []wording{
		{"", "SessionCreated", "media host ready", "a media host has made the sockets"},
		{"", "SessionRefused", "no media host", "no media host can take the call"},
		{"", "AnswerFaulted{Fault:Fault{Kind:gone", over, "the answer comes too late: the call is gone"},
		{"", "AnswerFaulted{Fault:Fault{Kind:refused", "refused", "Teams refuses the answer"},
		{"", "Established", "established", "Teams says: established"},
		{"answering", "CallAsked{Standing:established", "established", "asked, Teams says: established"},
		{"answering", "CallAsked{Standing:incoming", late, "asked, Teams says that the call still waits, and no answer may be given any more"},
		{"reviving", "CallAsked{Gone", over, "asked, Teams says that the call is gone"},
		{"reviving", "CallAsked{Standing:established", "call not over", "asked, Teams says that the call lives"},
		{"reviving", "CallAsked", "call not over", "asked, Teams can't tell whether the call lives"},
		{"reviving", "TimerFired{Timer:askCall", "call not over", "asked, Teams says nothing within 1 s"},
		{"", "CallAsked{Gone", over, "asked, Teams says that the call is gone"},
		{"sealing paused", "CallAsked{Standing:established", fails, "the sockets are closed, and the call goes on"},
		{"sealing paused", "TimerFired{Timer:askCall", fails, "the sockets are closed, and within 1 s nobody says that the call is over"},
		{"announcing", op + "completed" + on200, "success reply", "the reply: 2xx and completed"},
		{"announcing", op + "completed}}", "success reply", "completion is told after the 2xx"},
		{"announcing", op + "running" + on200, "success reply", "the 2xx comes after completion was told"},
		{"announcing", op + "completed Receipt", "refused", "the request is refused, whatever its operation says"},
		{"announcing", op + "failed", "refused", "the operation failed"},
		{"announcing", "StatusReplied", "refused", "a reply without a word on the operation"},
		{"announcing", "StatusFaulted{Context:c/1/recording Fault:Fault{Kind:throttled", "refused", "throttled for longer than the limit allows"},
		{"announcing", "StatusFaulted{Context:c/1/recording Fault:Fault{Kind:refused", "refused", "Teams refuses the request"},
		{"recording", op + "failed", fails, "consent is taken back: the operation failed after all"},
		{"recording", "StatusFaulted{Context:c/1/recording Fault:Fault{Kind:refused", fails, "consent is taken back: the request is refused after all"},
		{"retracting", op + "failed", answered, "the operation failed"},
		{"retracting", op + "completed", answered, "completed"},
		{"retracting", "StatusReplied", answered, "a reply without a word on the operation"},
		{"retracting", "StatusFaulted{Context:c/1/recording Fault:Fault{Kind:refused", answered, "Teams refuses the request"},
		{"paused staying", "StatusReplied", "old request takes effect", "an earlier request to show recording takes effect after all"},
		{"", "StatusFaulted{Context:c/1/recording Fault:Fault{Kind:gone", over, "the request gets a 404: the call is gone"},
		{"", "MediaFailed{Cause:mediaLost", fails, "the media host is lost"},
		{"", "MediaFailed{Cause:storageFailed", fails, "the spool fails"},
		{"recording", "MediaClosed", "sockets closed", "the media host closes the sockets, as it does when a call ends"},
		{"", "MediaClosed", fails, "the media host closes the sockets"},
		{"", "MediaSealed", "sealed", "the seal is durable"},
		{"", "SealFaulted", "not sealed", "the seal fails"},
		{"", "TimerFired{Timer:seal", "not sealed", "not sealed in time"},
		{"", "CallEnded", over, "Teams says that the call has ended"},
		{"", "KeepAliveReplied{Gone", over, "keepAlive: the call is gone"},
		{"", "HungUp{}", "left", "we have left"},
		{"", "HungUp{Fault:Fault{Kind:gone", "left", "leaving: the call is gone"},
		{"", "HungUp{Fault:Fault{Kind:refused", "left", "leaving is refused again and again"},
		{"", "Rejected", "told", "the invite is turned down, or gone"},
		{"", "PauseRequested", "pause", "an operator pauses"},
		{"", "ResumeRequested", "resume", "an operator resumes"},
		{"", "StopRequested{Cause:stopped", "stop", "an operator, or the drain limit, stops the call"},
		{"", "StopRequested{Cause:shutdown", "stop", "the process is told to end at once"},
		{"", "Crashed", fails, "a panic in this call, or a step that the monitor refused"},
		{"", "LedgerFailed", fails, "the journal can't be written"},
		{"", "TimerFired{Timer:establish", late, "not established within 1 min"},
		{"", "TimerFired{Timer:announceLimit", late, "no success reply within 30 s"},
		{"", "TimerFired{Timer:retractLimit", late, "no answer within 15 s"},
		{"", "TimerFired{Timer:leave", late, "no reply in time"},
	}
}

// wordingOf is the first that fits; zero: none does.
func wordingOf(s tableStep) wording {
	for _, w := range wordings() {
		if strings.HasPrefix(s.event, w.event) && (w.from == "" || slices.Contains(strings.Fields(w.from), s.from)) {
			return w
		}
	}
	return wording{}
}

// commandWords is what is done, for people; empty for clocks and counters.
func commandWords(cmd string) (string, error) {
	for status := StatusRecording; status <= StatusFailed; status++ {
		if strings.HasPrefix(cmd, "Announce{") && strings.Contains(cmd, "status:"+status.String()+" ") {
			return "announce `" + status.String() + "`", nil
		}
	}
	words, known := map[string]string{
		"CreateSession": "ask a media host for sockets", "Reject": "turn the invite down", "Answer": "answer",
		"AskCall": "ask whether the call lives", "Poll": "ask how far the operation is", "OpenMedia": "**open the gate**",
		"SealMedia": "seal", "WithdrawPermit": "shut the gate", "ReleaseMedia": "give the sockets back", "KeepAlive": "keep alive",
		"AskRoster": "ask for the roster", "HangUp": "leave", "Conclude": "enter the outcome",
		"SetTimer": "", "StopTimers": "", "Unexpected": "",
	}[kindIn(cmd)]
	if !known {
		return "", fmt.Errorf("page_words_test.go has no words for the command %s", cmd)
	}
	return words, nil
}
