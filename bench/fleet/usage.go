package fleet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTicks is USER_HZ: the ticks a second in which Linux reports CPU time, on
// every machine that Go runs on.
const clockTicks = 100

// A Usage is what a process has cost so far.
type Usage struct {
	CPU     time.Duration // user and system
	PeakRSS int64         // bytes
}

// Usage reads what the instance has cost. It fails where there is no /proc.
func (i *Instance) Usage() (Usage, error) {
	dir := fmt.Sprintf("/proc/%d/", i.PID())
	stat, err := os.ReadFile(dir + "stat") //nolint:gosec // the name is a number
	if err != nil {
		return Usage{}, fmt.Errorf("fleet: %w", err)
	}
	status, err := os.ReadFile(dir + "status") //nolint:gosec // the name is a number
	if err != nil {
		return Usage{}, fmt.Errorf("fleet: %w", err)
	}
	ticks, err := cpuTicks(stat)
	if err != nil {
		return Usage{}, err
	}
	return Usage{CPU: time.Duration(ticks) * time.Second / clockTicks, PeakRSS: peakRSS(status)}, nil
}

// cpuTicks adds up utime and stime, the 14th and 15th field of
// proc_pid_stat(5). The second field, the program's name in brackets, may have
// spaces.
func cpuTicks(stat []byte) (int64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("fleet: %d fields in /proc/PID/stat", len(fields))
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("fleet: utime: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("fleet: stime: %w", err)
	}
	return user + system, nil
}

// peakRSS returns VmHWM of proc_pid_status(5) in bytes, or 0 if it is not
// there.
func peakRSS(status []byte) int64 {
	for line := range bytes.Lines(status) {
		if rest, found := bytes.CutPrefix(line, []byte("VmHWM:")); found {
			kib, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			return kib << 10
		}
	}
	return 0
}
