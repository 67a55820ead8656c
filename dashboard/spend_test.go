package dashboard_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/dashboard"
	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/record"
)

// A month of a zone is what its attempts cost, by day, tenant, model and waste.
func TestSpendSumsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00 UTC, and still December in New York
		s := setup(t)
		s.draw("web", "a", time.Second, ending{cost: 40_000})
		s.draw("web", "a", time.Second, ending{code: job.CodeBlocked, cost: 5_000})
		time.Sleep(30 * time.Hour) // 2 January 06:00 UTC, 01:00 in New York
		s.draw("=batch", "b", time.Second, ending{cost: 1_200_000, list: true})
		c := s.logIn("vera")
		page := s.get(path+"/spend", c)
		want(t, section(t, page, "January 2000", "Cost by day"), "≈ about $1.25", "Brought no picture $0.0050 0.4 %", "Pictures 2", "A picture, with waste $0.6225")
		want(t, section(t, page, "A picture =batch", "What brought"), "≈ about $1.20 $0 1 1 $1.20", "web $0.0450 $0.0050 1 2 $0.0450", "m ≈ about $1.25 $0.0050 2 3 $0.6225")
		want(t, section(t, page, "What brought no picture", "By day"), "blocked 1 $0.0050", "-succeeded")
		want(t, section(t, page, "A picture 2000-01-02", "Costs are"), "≈ about $1.20 $0 1 1 $1.20 2000-01-01 $0.0450")

		want(t, words(page), "≈ is estimated in part: of $1.20")

		york := s.get(path+"/spend?zone=America%2FNew_York", c)
		want(t, section(t, york, "January 2000", "Cost by day"), "$1.20", "Pictures 1")
		want(t, york, "2000-01-02", "-2000-01-01<", "zone=America%2FNew_York")
		before := s.get(path+"/spend?zone=America%2FNew_York&month=1999-12", c)
		want(t, section(t, before, "December 1999", "Cost by day"), "$0.0450", "Pictures 1")
		want(t, before, "1999-12-31", `rel="next"`)

		want(t, words(s.get(path+"/spend?month=1999-11", c)), "Nothing was spent")
		want(t, words(s.get(path+"/spend?zone=Asia%2FKolkata", c)), "each day takes those that begin in it")
		for odd, says := range map[string]string{"zone=Local": "no such time zone", "zone=../../etc/passwd": "no such time zone", "month=13": "no such month", "month=0001-01": "no such month"} {
			want(t, words(s.get(path+"/spend?"+odd, c)), says)
			if resp := s.do(request{method: "GET", path: path + "/spend.csv?" + odd, cookie: c}); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("a file of %s is answered %s", odd, resp.Status)
			}
		}

		resp := s.do(request{method: "GET", path: path + "/spend.csv?zone=America%2FNew_York", cookie: c})
		if kind, name := resp.Header.Get("Content-Type"), resp.Header.Get("Content-Disposition"); kind != "text/csv; charset=utf-8; header=present" ||
			name != `attachment; filename="spend-2000-01-America-New_York.csv"` {
			t.Errorf("the file is %s, %s", kind, name)
		}
		rows := strings.Split(text(t, resp), "\r\n")
		if diff := cmp.Diff([]string{"2000-01-02,America/New_York,'=batch,m,succeeded,1,1,0,0,0,0,1.200000,0.000000,1.200000", ""}, rows[1:]); diff != "" {
			t.Errorf("the rows (-want +got):\n%s", diff)
		}
	})
}

// A page shows the dearest tenants, whatever they are called, and what the others came to.
func TestSpendShowsTheDearestTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for i := range 102 {
			s.draw(fmt.Sprintf("tenant-%03d", i), "a", time.Second, ending{cost: int64(1_000 * (1 + i))})
		}
		page := s.get(path+"/spend", s.logIn("vera"))
		want(t, section(t, page, "A picture tenant-101", "By model"), "$0.1020", "tenant-002", "-tenant-001", "2 further tenants: $0.0030 together, of which $0")
	})
}

// A file is read back as it was written, and no cell is a formula to a spreadsheet.
func TestCSV(t *testing.T) {
	for tenant, want := range map[string]string{
		"web": "web", "a,b": "a,b", `say "x"`: `say "x"`, "two\nlines": "two\nlines", "ü–é": "ü–é", "": "", "'quoted": "'quoted",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'=1", "＝1": "'＝1", "a=1": "a=1",
	} {
		file, err := dashboard.WriteCSV([]record.Spend{{At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Tenant: tenant, Sums: record.Sums{
			Pictures: 1, Attempts: 2, Tokens: job.Tokens{Prompt: 3, Text: 4, Thought: 5, Image: 6}, CostMicros: 12_345_678, WastedMicros: 9, EstimatedMicros: 5,
		}}}, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(file))).ReadAll()
		if err != nil || len(rows) != 2 || strings.Count(string(file), "\r\n") < 2 {
			t.Fatalf("%q is read as %q, error %v", file, rows, err)
		}
		if diff := cmp.Diff([]string{"2026-11-01", "UTC", want, "", "", "1", "2", "3", "4", "5", "6", "12.345678", "0.000009", "0.000005"}, rows[1]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tenant, diff)
		}
	}
}

func TestMoney(t *testing.T) {
	for micros, want := range map[int64]string{0: "$0", 50: "$0.0001", 33_600: "$0.0336", 999_949: "$0.9999", 1_005_000: "$1.01", 1_234_567_890: "$1,234.57"} {
		if got := dashboard.Money(micros); got != want {
			t.Errorf("%d is %s, want %s", micros, got, want)
		}
	}
}

// A month has each of its days once, also those that have no midnight, as 6 September
// 2026 in Santiago and 8 March in Havana.
func TestDaysOfAMonthWhoseClocksAreSet(t *testing.T) {
	for name, odd := range map[string]time.Time{
		"America/Santiago": time.Date(2026, time.September, 6, 0, 0, 0, 0, time.UTC), "America/Havana": time.Date(2026, time.March, 8, 0, 0, 0, 0, time.UTC),
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		var spent []record.Spend
		q := record.SpendQuery{Zone: zone}
		for day := 1; day <= 30; day++ {
			spent = append(spent, record.Spend{At: q.Day(2026, odd.Month(), day), Sums: record.Sums{CostMicros: 1_000_000}})
		}
		drawn := string(dashboard.DrawDays("id", "title", spent[0].At.In(zone), q.Day(2026, odd.Month(), 31).In(zone), spent))
		if want := "$30.00 on 30 days, $1.00 on the day with the most"; !strings.Contains(drawn, want) {
			t.Errorf("%s: no %q in %s", name, want, drawn)
		}
		file, err := dashboard.WriteCSV(spent, zone)
		if day := odd.Format(time.DateOnly); err != nil || strings.Count(string(file), day) != 1 {
			t.Errorf("%s: %s is not in the file once: %v\n%s", name, day, err, file)
		}
	}
}
