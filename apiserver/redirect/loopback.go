// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package redirect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/mdlayher/netlink"
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
	device, err := net.InterfaceByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback device: %w", err)
	}
	if err := addAddress(device.Index); err != nil {
		return fmt.Errorf("add %s to lo: %w", ipv6.inboundSource, explain(err))
	}
	return nil
}

// addAddress sends RTM_NEWADDR (rtnetlink(7)); an address that is there is kept.
func addAddress(device int) error {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.IFA_LOCAL, Data: ipv6.inboundSource.Addr().AsSlice()},
		{Type: unix.IFA_ADDRESS, Data: ipv6.inboundSource.Addr().AsSlice()},
	})
	if err != nil {
		return err
	}
	// struct ifaddrmsg: family, length of the prefix, flags, scope, device.
	header := binary.NativeEndian.AppendUint32(
		[]byte{unix.AF_INET6, byte(ipv6.inboundSource.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_HOST}, uint32(device))
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_NEWADDR, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Replace},
		Data:   append(header, attributes...),
	})
	return err
}
