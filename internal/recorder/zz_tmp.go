package recorder

type announcement struct {
	call    CallID
	status  RecordingStatus
	context string
}
type Timer uint8
