package archive

func (u *uniting) film(t *UnionTrack, name string) error { return nil }
