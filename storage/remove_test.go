package storage_test

import "testing"

func TestRemove(t *testing.T) {
	_, r2 := setup(t)
	for i := range 2 {
		if _, err := r2.Put(t.Context(), "x", i, picture("a", 10)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing
		if err := r2.Remove(t.Context(), "images/x/0", "images/x/7"); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{false, true} {
		if _, _, found, err := r2.Stat(t.Context(), "x", i); found != want || err != nil {
			t.Errorf("picture %d: found %v, %v; want %v", i, found, err, want)
		}
	}
}
