// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package redirect

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addInboundSource gives the loopback device ::6. Its IPv4 sibling needs
// nothing: all of 127.0.0.0/8 is local. A pod without IPv6 on its loopback
// device has no IPv6 at all, and is left so.
func addInboundSource() error {
	disabled, err := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
	if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(disabled)) == "1" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read whether lo has IPv6: %w", err)
	}
	device, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback device: %w", err)
	}
	address := &netlink.Addr{
		IPNet: &net.IPNet{IP: ipv6.inboundSource.Addr().AsSlice(), Mask: net.CIDRMask(128, 128)},
		Flags: unix.IFA_F_NODAD,
	}
	if err := netlink.AddrReplace(device, address); err != nil {
		return fmt.Errorf("add %s to lo: %w", ipv6.inboundSource, explain(err))
	}
	return nil
}
