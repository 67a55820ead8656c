package webhook_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ai-worker/ai-worker/job"
	"github.com/ai-worker/ai-worker/webhook"
)

// refused returns URLs that no caller may name, by what is said about them.
func refused() map[string][]string {
	return map[string][]string{
		"2048 are allowed": {"https://example.com/" + strings.Repeat("a", 2029)},
		"is not a URL": {
			"https://exa mple.com", "https://exam%20ple.com", "https://[::1", "https://example.com:port", "https://example.com/\x00",
			"https://example.com\r\nX: y", "https://[fe80::1%eth0]/",
		},
		"user name":    {"https://me:pw@example.com", "https://example.com@10.0.0.1/", "https://@example.com"},
		"fragment":     {"https://example.com/#", "https://example.com/#top"},
		"has no host":  {"", "https://", "https:example.com", "https:///hooks", "example.com/hooks", "https://:443/", "mailto:a@example.com"},
		"https://":     {"http://example.com", "ftp://example.com", "gopher://example.com:443", "http://localhost:3000", "//example.com/hooks"},
		"443 and 8443": {"https://example.com:80", "https://example.com:22", "https://example.com:0", "https://example.com:0443"},
		"not public": {
			"https://127.0.0.1", "https://0.0.0.0", "https://10.1.2.3", "https://172.16.0.1", "https://192.168.0.1", "https://100.100.100.200",
			"https://169.254.169.254/computeMetadata/v1/", "https://168.63.129.16", "https://192.0.0.192", "https://255.255.255.255", "https://224.0.0.1",
			"https://[::]", "https://[::1]", "https://[::ffff:127.0.0.1]", "https://[::ffff:8.8.8.8]", "https://[::127.0.0.1]",
			"https://[64:ff9b::7f00:1]", "https://[64:ff9b:1::a00:1]", "https://[2002:7f00:1::]", "https://[2001:0:7f00:1::]",
			"https://[fe80::1]", "https://[fe80::1%25eth0]", "https://[2606:4700::1%25eth0]", "https://[fd00:ec2::254]", "https://[ff02::1]", "https://[fec0::1]",
			"https://127.0.0.1.", "https://[::ffff:a9fe:a9fe]",
		},
		"ends in a number": {
			"https://2130706433", "https://017700000001", "https://0x7f000001", "https://0177.0.0.1", "https://127.1", "https://0x7f.0x1",
			"https://127.0.0.0x1", "https://256.256.256.256", "https://1.2.3.4.5", "https://example.1",
		},
		"other signs":         {"https://１２７.0.0.1", "https://127。0。0。1", "https://münchen.example", "https://ex*mple.com", "https://a,b.example"},
		"cannot be in DNS":    {"https://example..com", "https://.example.com", "https://" + strings.Repeat("a.", 126) + "com"},
		"inside of a network": {"https://localhost", "https://a.localhost", "https://metadata.google.internal", "https://METADATA.google.INTERNAL.", "https://printer.local", "https://metadata"},
	}
}

func TestCheckURLRefuses(t *testing.T) {
	t.Parallel()
	p := webhook.NewPolicy(false)
	for want, urls := range refused() {
		for _, url := range urls {
			err := p.CheckURL(url)
			if err == nil {
				t.Errorf("%q is allowed", url)
				continue
			}
			if text := err.Error(); !strings.HasPrefix(text, "webhook ") || !strings.Contains(text, want) {
				t.Errorf("%q: %v, want something about %q", url, err, want)
			}
			if strings.Contains(err.Error(), "pw@") {
				t.Errorf("%q: the password is told: %v", url, err)
			}
		}
	}
}

func TestCheckURLAllows(t *testing.T) {
	t.Parallel()
	p := webhook.NewPolicy(false)
	for _, url := range []string{
		"https://example.com", "HTTPS://Example.COM./hooks?key=a%23b&x=1", "https://example.com:443/", "https://example.com:8443/",
		"https://xn--mnchen-3ya.example/", "https://my_app.example.com/", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/",
		"https://4chan.example/", "https://1.2.3.4.example.com", "https://example.com/" + strings.Repeat("a", 2028),
	} {
		if err := p.CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// In development receivers are on this machine, and still nowhere else inside.
func TestCheckURLInDevelopment(t *testing.T) {
	t.Parallel()
	p := webhook.NewPolicy(true)
	for _, url := range []string{
		"http://localhost:3000/hooks", "https://localhost", "http://127.0.0.1:8080", "http://[::1]:3000", "https://example.com",
	} {
		if err := p.CheckURL(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"http://example.com", "http://10.0.0.1", "https://10.0.0.1", "http://169.254.169.254", "https://2130706433", "ftp://localhost",
		"http://me@localhost", "http://localhost/#a",
	} {
		if err := p.CheckURL(url); err == nil {
			t.Errorf("%s is allowed", url)
		}
	}
}

// What is refused at submission is refused at the try too: the rules may have
// been others when it was recorded.
func TestSendRefusesURLs(t *testing.T) {
	t.Parallel()
	s := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(false), dns(func() []string { return []string{"8.8.8.8"} }))
	s.StopBeforeConnecting(nil, func(address string) { t.Errorf("connects to %s", address) })
	for _, urls := range refused() {
		for _, url := range urls {
			o, err := s.Send(t.Context(), url, "msg_1", []byte("{}"))
			if err != nil || o.Result != webhook.ResultFailed || o.Try.Failure != job.WebhookRefusedURL {
				t.Errorf("%q: %+v, %v", url, o, err)
			}
		}
	}
}

func TestSendRefusesAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200",
		"169.254.169.254", "169.254.170.2", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
		"2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:53aa:64c::1", "2001:db8::1", "fe80::1", "fec0::1", "fd00:ec2::254", "fc00::1", "ff02::1",
	} {
		// The transport is the one of production: it would connect.
		s := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(false), dns(func() []string { return []string{address} }))
		o, err := s.Send(t.Context(), "https://receiver.example.com/hooks", "msg_1", []byte("{}"))
		if err != nil || o.Result != webhook.ResultAgain || o.Try.Failure != job.WebhookRefusedAddress {
			t.Errorf("%s: %+v, %v", address, o, err)
		}
		if strings.Contains(o.Try.Message, address) {
			t.Errorf("the log tells of the address: %s", o.Try.Message)
		}
	}
}

// A name that means a public address when it is looked at, and this machine when
// it is called, reaches nothing: what is connected to is what is checked.
func TestRebindingReachesNothing(t *testing.T) {
	t.Parallel()
	var connected []string
	answers := [][]string{{"8.8.8.8"}, {"127.0.0.1"}, {"169.254.169.254", "10.0.0.1"}, {"2606:4700::1111"}, {"::1"}}
	var now []string
	resolver := dns(func() []string { return now })
	s := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(false), nil)
	s.StopBeforeConnecting(resolver, func(address string) { connected = append(connected, address) })

	var failures []job.WebhookFailure
	for _, now = range answers {
		o, err := s.Send(t.Context(), "https://receiver.example.com/hooks", "msg_1", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		failures = append(failures, o.Try.Failure)
	}
	want := []job.WebhookFailure{
		job.WebhookUnreachable, job.WebhookRefusedAddress, job.WebhookRefusedAddress, job.WebhookUnreachable, job.WebhookRefusedAddress,
	}
	if diff := cmp.Diff(want, failures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	slices.Sort(connected)
	if diff := cmp.Diff([]string{"8.8.8.8:443", "[2606:4700::1111]:443"}, connected); diff != "" {
		t.Errorf("connects to (-want +got):\n%s", diff)
	}
}

// Of a name with several addresses, those that are not public are left out.
func TestOnlyPublicAddressesAreConnectedTo(t *testing.T) {
	t.Parallel()
	var connected []string
	s := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(false), nil)
	s.StopBeforeConnecting(dns(func() []string { return []string{"169.254.169.254", "8.8.4.4", "127.0.0.1"} }),
		func(address string) { connected = append(connected, address) })
	if _, err := s.Send(t.Context(), "https://receiver.example.com/hooks", "msg_1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"8.8.4.4:443"}, connected); diff != "" {
		t.Errorf("connects to (-want +got):\n%s", diff)
	}
}

// A proxy would connect in place of this service, and check nothing.
func TestNoProxyIsUsed(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://8.8.8.1:8443")
	}
	var connected []string
	s := webhook.NewSender(secrets(t, newSecret), webhook.NewPolicy(false), nil)
	s.StopBeforeConnecting(dns(func() []string { return []string{"8.8.8.8"} }), func(address string) { connected = append(connected, address) })
	if _, err := s.Send(t.Context(), "https://receiver.example.com/hooks", "msg_1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"8.8.8.8:443"}, connected); diff != "" {
		t.Errorf("connects to (-want +got):\n%s", diff)
	}
}
