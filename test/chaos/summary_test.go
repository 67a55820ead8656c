package chaos_test

import (
	"fmt"
	"strings"
)

// A summary has the numbers of a run.
type summary struct {
	d                           *deployment
	jobs, images                int
	succeeded, failed, stranded int
	objects                     int
	asked, answeredWithout      int // requests to Gemini; those without a picture
	cut, putBack                int // attempts cut in the middle; of those, by an orderly end
	again                       int // requests for a picture that one was asked for before
	kinds                       int
	closings, proofs            int      // of lanes: pauses that began; good answers after one
	held                        int      // images that waited for a budget
	unreserved                  int      // images that an old program recorded, in no budget
	poisoned                    []string // what became of each image of a poisoned job
}

// String returns the summary as lines of text.
func (s *summary) String() string {
	d := s.d
	return fmt.Sprintf("%d jobs, %d images: %d succeeded, %d failed, %d stranded; %d objects\n"+
		"%d requests to Gemini ≤ %d images not failed + %d answers without a picture (of %d kinds) + %d attempts cut (%d by orderly ends); %d pictures asked for again\n"+
		"%d kills, %d deploys (%d ends late), %d faults of R2, %d deliveries twice, %d run early; sweep answers %d\n"+
		"of Redis, %d stops, %d workers cut off, %d stalled; %d changes of the lanes: %d paused, %d removed, %d back, %d renamed\n"+
		"%d processes of before; %d images were held by the budget, %d are in none\n"+
		"lanes closed %d times and were proved %d times; poisoned images: %s",
		s.jobs, s.images, s.succeeded, s.failed, s.stranded, s.objects,
		s.asked, s.images-s.failed, s.answeredWithout, s.kinds, s.cut, s.putBack, s.again,
		d.crew.kills.Load(), d.crew.deploys.Load(), d.crew.late.Load(), d.bucket.count, d.duplicates.Load(), d.runEarly.Load(), d.sweepStatus.Load(),
		d.taken[stopRedis], d.taken[cutRedis], d.taken[stallRedis],
		len(d.setups.all)-1, d.taken[pauseLane], d.taken[removeLane], d.taken[returnLanes], d.taken[renameModel],
		d.crew.olds.Load(), s.held, s.unreserved,
		s.closings, s.proofs, strings.Join(s.poisoned, "; "))
}
