// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

// serverFirstPorts are the ports of protocols in which the server speaks first.
// Looking for the client's first bytes would only make each connection wait.
var serverFirstPorts = map[uint16]string{
	21:   "FTP, RFC 959",
	22:   "SSH, RFC 4253",
	25:   "SMTP, RFC 5321",
	110:  "POP3, RFC 1939",
	119:  "NNTP, RFC 3977",
	143:  "IMAP, RFC 9051",
	587:  "message submission, RFC 6409",
	873:  "rsync daemon, @RSYNCD greeting",
	3306: "MySQL client/server protocol, connection phase",
	4222: "NATS client protocol, INFO",
	5900: "RFB (VNC), RFC 6143",
}

// clientFirstPorts are the ports of protocols in which the client speaks first,
// and not HTTP. Looking for a request would lose what a client sends that closes
// at once, and finds none. Each is IANA's number, or the default of the one
// server that is known by it; a number that HTTP servers use as well is left to
// detection, as 7000, 9000 and 9093 are.
var clientFirstPorts = map[uint16]string{
	// Databases and caches.
	1433:  "SQL Server, TDS",
	1521:  "Oracle, TNS",
	5432:  "PostgreSQL, frontend/backend protocol",
	5433:  "YugabyteDB YSQL and Vertica, the same",
	6379:  "Redis, RESP",
	6380:  "Redis over TLS",
	6432:  "PgBouncer, PostgreSQL's protocol",
	9042:  "Cassandra, CQL native protocol",
	9142:  "Cassandra, CQL over TLS",
	11211: "memcached",
	16379: "Redis cluster bus",
	26257: "CockroachDB, PostgreSQL's protocol, and gRPC in its own TLS",
	26379: "Redis Sentinel, RESP",
	27017: "MongoDB, wire protocol",
	27018: "MongoDB shard server",
	27019: "MongoDB configuration server",
	33060: "MySQL X protocol",

	// Coordination. The peers of etcd speak a protocol in streams of HTTP/1 that
	// no route or retry is for, mostly in TLS of their own.
	2181: "ZooKeeper, client",
	2380: "etcd, peers",
	2888: "ZooKeeper, followers",
	3888: "ZooKeeper, election",

	// Messages.
	1883:  "MQTT",
	4369:  "Erlang port mapper",
	5671:  "AMQP over TLS",
	5672:  "AMQP",
	6222:  "NATS, routes of a cluster",
	9092:  "Kafka",
	9094:  "Kafka, external listener",
	25672: "RabbitMQ, Erlang distribution",
	61613: "STOMP",
	61616: "ActiveMQ, OpenWire",

	// Logs and metrics, whose clients often send and close.
	514:   "syslog over TCP, RFC 6587",
	601:   "syslog, RFC 3195",
	2003:  "Graphite, plaintext protocol",
	2004:  "Graphite, pickle protocol",
	5044:  "Beats, Lumberjack protocol",
	6514:  "syslog over TLS, RFC 5425",
	24224: "Fluentd, forward protocol",

	// Names, directories, files, mail over TLS.
	53:   "DNS, RFC 7766",
	88:   "Kerberos, RFC 4120",
	389:  "LDAP, RFC 4511",
	445:  "SMB",
	465:  "message submission over TLS, RFC 8314",
	636:  "LDAP over TLS",
	853:  "DNS over TLS, RFC 7858",
	993:  "IMAP over TLS, RFC 8314",
	995:  "POP3 over TLS, RFC 8314",
	2049: "NFS, RFC 7530",
	3260: "iSCSI, RFC 7143",
	3268: "LDAP, Active Directory's global catalog",
	3269: "the same over TLS",
	3389: "RDP",
}

// wellKnownTCP tells whether a port without a declaration is TCP by its number.
func wellKnownTCP(port uint16) bool {
	return serverFirstPorts[port] != "" || clientFirstPorts[port] != ""
}
