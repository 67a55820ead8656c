package chaos_test

import "fmt"

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
}

// String returns the summary as three lines of text.
func (s *summary) String() string {
	d := s.d
	return fmt.Sprintf("%d jobs, %d images: %d succeeded, %d failed, %d stranded; %d objects\n"+
		"%d requests to Gemini ≤ %d images not failed + %d answers without a picture (of %d kinds) + %d attempts cut (%d by orderly ends); %d pictures asked for again\n"+
		"%d kills, %d deploys (%d ends late), %d faults of R2, %d deliveries twice, %d run early; sweep answers %d",
		s.jobs, s.images, s.succeeded, s.failed, s.stranded, s.objects,
		s.asked, s.images-s.failed, s.answeredWithout, s.kinds, s.cut, s.putBack, s.again,
		d.crew.kills.Load(), d.crew.deploys.Load(), d.crew.late.Load(), d.bucket.count, d.duplicates.Load(), d.runEarly.Load(), d.sweepStatus.Load())
}
