package media

const childEnv = "MEDIA_TEST_CHILD"

func runChild() int { return 0 }
