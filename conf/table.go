package conf

// The schema table. It drives decoding, defaults, suggestions and documentation.
var root = &block{name: "file", kids: []*block{
	topologyBlock, includeBlock, variableBlock, localsBlock, defaultsBlock, clusterBlock, geoipBlock,
	zoneBlock, regionBlock, nameserverBlock, networkBlock, directorBlock, failoverBlock,
	farmBlock, checkBlock, serviceBlock, policyBlock, domainBlock,
}}

var (
	topologyBlock = &block{
		name: "topology", label: "name", one: true, doc: "Names the whole.",
		attrs: []*attr{
			{name: "schema", typ: tCount, def: "1", doc: "Version of the language the file is written in."},
			{name: "max_remove", typ: tPercent, doc: "Part of a forwarding table that a change may remove without being forced."},
			{name: "watch", typ: tBool, def: "false", doc: "Whether `gslb serve` reads the files again when they have changed, as with its flag --watch; a director reads them on SIGHUP alone."},
		},
	}
	includeBlock = &block{
		name: "include", label: "path", doc: "More of the topology: a file, a folder or a pattern such as \"cells/*.hcl\", relative to this file's folder.",
	}
	variableBlock = &block{
		name: "variable", label: "name", doc: "A value that comes from outside the file.",
		attrs: []*attr{
			{name: "type", typ: tRaw, doc: "Type constraint: string, number, bool, list(string), map(number), object({...}), any."},
			{name: "default", typ: tRaw, doc: "Value when none is given; without it the variable must be given."},
			{name: "description", typ: tString, doc: "What it is for."},
		},
		kids: []*block{{
			name: "validation", doc: "A condition the value must meet.",
			attrs: []*attr{
				{name: "condition", typ: tRaw, must: true, doc: "True when the value is acceptable."},
				{name: "error_message", typ: tRaw, must: true, doc: "What to tell the user otherwise."},
			},
		}},
	}
	localsBlock   = &block{name: "locals", free: true, doc: "Names for expressions."}
	defaultsBlock = &block{
		name: "defaults", one: true, doc: "Values for every block of a kind that does not give its own.",
		kids: []*block{
			inherits(checkBlock, "port", "path", "host", "interval", "timeout", "jitter", "rise", "fall", "verify", "slow_start", "flap", "expect"),
			inherits(serverBlock, "weight", "port", "throughput", "max_connections", "resume_connections"),
			inherits(directorBlock, "mtu", "tags", "capacity", "timeouts"),
			inherits(domainBlock, "zone", "ttl", "policy"),
		},
	}
	clusterBlock = &block{
		name: "cluster", one: true, doc: "How the nodes share what they know: a director tells those in front of it how much is alive behind it.",
		attrs: []*attr{
			{name: "key", typ: tSecret, must: true, doc: "Where the key is that reports are sealed with, at least 16 characters; of several lines the first seals and each is accepted."},
			{name: "port", typ: tPort, def: "7353", doc: "UDP port of the directors at which reports come in."},
			{name: "ca", typ: tString, later: "State shared between all nodes", doc: "File with the certificates that nodes are checked against."},
			{name: "stale", typ: tDuration, def: `"10s"`, doc: "Age from which a report does not count any more."},
		},
	}
	geoipBlock = &block{
		name: "geoip", one: true, doc: "Databases of where addresses are, in MaxMind's format (.mmdb). They are read on the nodes, and again when they change.",
		attrs: []*attr{
			{name: "city", typ: tString, doc: "File with a City or Country database; a relative path begins in the folder of the topology's first file."},
			{name: "asn", typ: tString, doc: "File with a database of autonomous systems."},
		},
	}
	zoneBlock = &block{
		name: "zone", label: "name", doc: "An authoritative DNS zone.",
		attrs: []*attr{
			{name: "name", typ: tString, must: true, show: true, doc: "Domain name of the zone."},
			{name: "ttl", typ: tTTL, def: `"1h"`, doc: "TTL of SOA, NS, glue and of records without one."},
			{name: "file", typ: tString, doc: "Master file (RFC 1035) with more records; relative to the folder of the topology's first file."},
		},
		kids: []*block{
			{
				name: "soa", one: true, group: true, doc: "Start of authority.",
				attrs: []*attr{
					{name: "contact", typ: tString, doc: "Mailbox of the zone as a domain name (default hostmaster.<zone>)."},
					{name: "negative_ttl", typ: tTTL, def: `"30s"`, doc: "How long resolvers keep that a name does not exist."},
					{name: "refresh", typ: tTTL, def: `"1h"`, doc: "How often secondaries look for changes."},
					{name: "retry", typ: tTTL, def: `"10m"`, doc: "How soon secondaries try again."},
					{name: "expire", typ: tTTL, def: `"2w"`, doc: "When secondaries give up."},
				},
			},
			{
				name: "dnssec", one: true, group: true, later: "Signing zones", doc: "Signs the zone.",
				attrs: []*attr{
					{name: "algorithm", typ: tString, doc: "Signing algorithm."},
					{name: "keys", typ: tSecret, doc: "Where the keys are."},
				},
			},
			{
				name: "record", label: "owner", doc: "A static record. The label is its owner, relative to the zone; \"@\" is the zone itself.",
				attrs: []*attr{
					{name: "name", typ: tString, doc: "Owner when the label cannot be it, as with for_each."},
					{name: "type", typ: tString, must: true, doc: "Record type: A, AAAA, CNAME, MX, TXT, ..."},
					{name: "data", typ: tStrings, must: true, doc: "Data as in a zone file, one or a list; relative names are relative to the zone."},
					{name: "ttl", typ: tTTL, doc: "TTL (default the zone's)."},
				},
			},
		},
	}
	regionBlock = &block{
		name: "region", label: "name", doc: "A place with directors and users of its own.",
		attrs: []*attr{
			{name: "location", typ: tPoint, show: true, doc: "Latitude and longitude in degrees."},
			{name: "continents", typ: tStrings, doc: "Codes of the continents whose users it serves: AF, AN, AS, EU, NA, OC, SA."},
			{name: "countries", typ: tStrings, doc: "Codes of the countries whose users it serves."},
			{name: "asns", typ: tNumbers, doc: "Autonomous systems whose users it serves."},
			{name: "prefixes", typ: tNets, doc: "Address prefixes of the users it serves."},
			{name: "fallback", typ: tStrings, doc: "Names of the regions that take its users over when nobody here is up, in order."},
			{name: "bias", typ: tBias, doc: "Percentage by which it counts as nearer than it is; negative: as further (default 0)."},
		},
	}
	nameserverBlock = &block{
		name: "nameserver", label: "name", doc: "A node of the DNS front. It serves every zone of the file.",
		attrs: []*attr{
			{name: "region", typ: ref("region"), must: true, doc: "Where it is."},
			{name: "addresses", typ: tIPs, must: true, show: true, doc: "Where it listens."},
			{name: "name", typ: tString, doc: "Host name in NS records (default <label>[-<key>].<zone>)."},
		},
	}
	networkBlock = &block{
		name: "network", label: "name", doc: "One L2 segment.",
		attrs: []*attr{
			{name: "region", typ: ref("region"), must: true, doc: "Where it is."},
			{name: "cidr", typ: tCIDRs, must: true, show: true, doc: "Its prefix, or one of each family."},
			{name: "gateway", typ: tAddrs, show: true, doc: "The region's router on it (default the highest unused host)."},
		},
	}
	directorBlock = &block{
		name: "director", label: "name", doc: "A node that forwards.",
		attrs: []*attr{
			{name: "network", typ: ref("network"), must: true, doc: "Segment of its first interface."},
			{name: "address", typ: tAddrs, must: true, show: true, doc: "Its address there, or one of each family."},
			{name: "mtu", typ: tMTU, def: "1500", idle: true, doc: "MTU of its interfaces."},
			{name: "tags", typ: tAny, doc: "The user's own notes."},
		},
		kids: []*block{
			{
				name: "inside", one: true, group: true, doc: "Its second interface, towards the farms.",
				attrs: []*attr{
					{name: "network", typ: ref("network"), must: true, doc: "Segment of the interface."},
					{name: "address", typ: tAddrs, must: true, doc: "Its address there, or one of each family."},
				},
			},
			{
				name: "capacity", one: true, group: true, doc: "What it can rewrite by NAT.",
				attrs: []*attr{
					{name: "mean_packet", typ: tCount, def: "536", doc: "Mean packet size in bytes."},
					{name: "packet_cost", typ: tDuration, def: `"60us"`, doc: "Time that one packet takes."},
				},
			},
			{
				name: "timeouts", one: true, group: true, doc: "After how long without a packet its kernel forgets a connection (default: what the kernel has).",
				attrs: []*attr{
					{name: "tcp", typ: tSeconds, doc: "An open TCP connection."},
					{name: "tcp_fin", typ: tSeconds, doc: "A TCP connection that has been closed."},
					{name: "udp", typ: tSeconds, doc: "A UDP flow."},
				},
			},
		},
	}
	failoverBlock = &block{
		name: "failover", label: "name", doc: "Directors of which one has the addresses of the pair, and others take them over.",
		attrs: []*attr{
			{name: "members", typ: refs("director"), must: true, doc: "Directors in order of priority."},
			{name: "vips", typ: tIPs, show: true, doc: "VIPs of the services of which it is the first tier."},
			{name: "address", typ: tAddrs, show: true, doc: "Where the tier before sends what is for the active one: an address of none of them on the members' network, or one of each family. Needed in later tiers."},
		},
		kids: []*block{
			{
				name: "inside", one: true, group: true, doc: "The gateway of farms, which moves with the VIPs.",
				attrs: []*attr{
					{name: "network", typ: ref("network"), must: true, doc: "Segment that every member has its inside interface on."},
					{name: "address", typ: tAddrs, must: true, doc: "An address of none of them there, or one of each family."},
				},
			},
			{
				name: "vrrp", one: true, group: true, doc: "How the members agree.",
				attrs: []*attr{
					{name: "id", typ: tRouterID, doc: "Virtual router id (default the last byte of the first of vips, or of address)."},
					{name: "advert", typ: tDuration, def: `"1s"`, doc: "Time between advertisements, in steps of 10ms."},
					{name: "preempt", typ: tBool, def: "true", doc: "Whether a member takes the VIPs over from one that is well and comes after it in the order."},
					{name: "preempt_delay", typ: tDuration, doc: "How long a returning member waits (default not at all)."},
					{name: "key", typ: tSecret, doc: "Where the key is that advertisements are signed with, 32 to 64 characters; of several lines, four at most, the first signs and each is accepted (default: nothing is signed)."},
					{name: "unicast", typ: tBool, def: "false", doc: "Whether IPv4 goes from address to address too, as IPv6 always does, instead of by multicast."},
					{name: "virtual_mac", typ: tBool, def: "false", doc: "Whether the VIPs have a MAC address that moves with them."},
				},
			},
			{
				name: "flap", one: true, group: true, doc: "How long a member that takes over and loses the VIPs again stays away from them, unless the active one resigns.",
				attrs: []*attr{
					{name: "count", typ: tFlaps, def: "3", doc: "From this time in a row on; 0: never."},
					{name: "window", typ: tInterval, def: `"1m"`, doc: "Losing them within this time after taking over, and sooner than after preempt_delay, is once more in a row."},
					{name: "hold", typ: tInterval, def: `"10s"`, doc: "How long it stays away, doubled with every time."},
					{name: "max", typ: tInterval, def: `"5m"`, doc: "Longest time that it stays away."},
				},
			},
			{
				name: "track", label: "name", doc: "What every member looks at besides its interface and its services. A member for which it is down counts for less than the others.",
				attrs: []*attr{
					{name: "check", typ: ref("check"), must: true, doc: "How it is looked at."},
					{name: "address", typ: tIP, doc: "What is looked at (default the member's own address)."},
					{name: "penalty", typ: tPenalty, def: "190", doc: "What is taken off the member's priority while it is down; the first member has 200, each one after it 10 less."},
					{name: "unfit", typ: tBool, def: "false", doc: "Whether the member holds nothing at all while it is down, even when nobody else does."},
				},
			},
			{
				name: "sync", one: true, group: true, asks: true, doc: "Copies connections between the kernels of the members.",
				attrs: []*attr{
					{name: "id", typ: tSyncID, doc: "Id of the messages (default the virtual router id)."},
					{name: "network", typ: ref("network"), doc: "Segment that carries them (default the members')."},
				},
			},
		},
	}
	serverBlock = &block{
		name: "server", label: "name", doc: "A real server.",
		attrs: []*attr{
			{name: "address", typ: tAddrs, must: true, doc: "Its address, or one of each family."},
			{name: "weight", typ: tWeight, def: "1", doc: "Share of the traffic; 0 = draining."},
			{name: "port", typ: tPort, doc: "Its port where it is not the service's; NAT only."},
			{name: "throughput", typ: tRate, doc: "What it can deliver."},
			{name: "max_connections", typ: tCount, doc: "How many connections it gets at the same time before it gets no new ones."},
			{name: "resume_connections", typ: tCount, doc: "Below how many it gets new ones again (default three quarters of max_connections)."},
			{name: "tunnel", typ: tBool, def: "true", doc: "Whether it can take tunnelled packets."},
		},
	}
	farmBlock = &block{
		name: "farm", label: "name", doc: "Real servers that are reached in one way.",
		attrs: []*attr{
			{name: "network", typ: ref("network"), doc: "Segment of the servers."},
			{name: "region", typ: ref("region"), doc: "Instead of network: a farm reached by routing (TUN only)."},
			{name: "gateway", typ: ref("director", "failover"), doc: "NAT director, or pair of them, that is the servers' default route."},
			{name: "agent", typ: ref("check"), doc: "Check of type agent, which asks each server, at its own address, what part of its weight it wants."},
		},
		kids: []*block{serverBlock},
	}
	checkBlock = &block{
		name: "check", label: "name", doc: "How to find out whether something lives.",
		attrs: []*attr{
			{name: "type", typ: tCheckType, must: true, doc: "tcp, http, https, tls, udp, dns, icmp, grpc, smtp, agent, file or exec."},
			{name: "port", typ: tPort, doc: "Port (default the destination's)."},
			{name: "path", typ: tString, def: `"/"`, doc: "http, https: what is asked for."},
			{name: "method", typ: tHTTPMethod, def: `"GET"`, doc: "http, https: GET, or HEAD, which is answered without a body."},
			{name: "http2", typ: tBool, def: "false", doc: "http, https: HTTP/2 and nothing else; over http it is spoken without asking."},
			{name: "headers", typ: tHeaders, doc: "http, https: further header fields."},
			{name: "host", typ: tString, doc: "http, https, tls, grpc, smtp: Host header and server name (default the address)."},
			{name: "interval", typ: tInterval, def: `"2s"`, doc: "From start to start."},
			{name: "timeout", typ: tInterval, def: `"1s"`, doc: "When a check counts as failed; below interval."},
			{name: "rise", typ: tCount, def: "2", doc: "Consecutive successes that bring it up."},
			{name: "fall", typ: tCount, def: "3", doc: "Consecutive failures that take it down."},
			{name: "jitter", typ: tPercent, def: `"20%"`, doc: "Part of the interval by which a check may start early."},
			{name: "slow_start", typ: tSlowStart, doc: "How long the weight of what has come up again grows (default: it is whole at once)."},
			{name: "verify", typ: tBool, def: "false", doc: "https, tls, grpc, smtp: the certificate must be valid for host."},
			{name: "send", typ: tString, doc: "tcp, udp, agent: text to send first."},
			{name: "helo", typ: tString, doc: "smtp: the name to greet with (default the address that asks)."},
			{name: "starttls", typ: tBool, doc: "smtp: asks for TLS and wants it (default false)."},
			{name: "file", typ: tPath, doc: "file: what is looked at; {address} in it is the destination's."},
			{name: "query", typ: tString, doc: "dns: name to ask for."},
			{name: "query_type", typ: tString, doc: "dns: record type to ask for (default A)."},
			{name: "tls", typ: tBool, doc: "grpc: over TLS (default false)."},
			{name: "grpc_service", typ: tString, doc: "grpc: name of the service (default: the server as a whole)."},
			{name: "command", typ: tCommand, doc: "exec: program and arguments; exit status 0 is alive."},
			{name: "environment", typ: tEnvironment, doc: "exec: variables of the program."},
			{name: "user", typ: tAccount, doc: "exec: who the program runs as (default nobody under root, else the daemon's user)."},
			{name: "group", typ: tAccount, doc: "exec: its group (default the user's)."},
		},
		kids: []*block{
			{
				name: "flap", one: true, group: true, doc: "How long what comes and goes is kept down.",
				attrs: []*attr{
					{name: "count", typ: tFlaps, def: "4", doc: "From this time in a row on; 0: never."},
					{name: "window", typ: tInterval, def: `"5m"`, doc: "Going down within this time after coming up is once more in a row."},
					{name: "hold", typ: tInterval, def: `"30s"`, doc: "How long it is kept down, doubled with every time."},
					{name: "max", typ: tInterval, def: `"10m"`, doc: "Longest time that it is kept down."},
				},
			},
			{
				name: "expect", one: true, group: true, doc: "What counts as alive.",
				attrs: []*attr{
					{name: "status", typ: tStatus, doc: "http, https: accepted status codes and ranges (default 200 to 399)."},
					{name: "text", typ: tString, doc: "tcp, udp, http, https, file: text in the reply."},
					{name: "pattern", typ: tPattern, doc: "tcp, udp, http, https, file: regular expression that matches in the reply."},
					{name: "sha256", typ: tDigest, doc: "http, https: digest of the whole body."},
					{name: "exists", typ: tBool, doc: "file: false: alive while it does not exist (default true)."},
					{name: "max_age", typ: tInterval, doc: "file: how long ago it was written at most."},
					{name: "certificate_days", typ: tCount, doc: "https, tls, grpc, smtp: days that the certificate is valid still."},
					{name: "rcode", typ: tRcodes, doc: "dns: accepted result codes (default NOERROR)."},
					{name: "answer", typ: tStrings, doc: "dns: data of records in the answer."},
				},
			},
		},
	}
	persistenceGroup = &block{
		name: "persistence", one: true, group: true, asks: true, doc: "Keeps a client on its server.",
		attrs: []*attr{
			{name: "timeout", typ: tSeconds, def: `"5m"`, doc: "How long after the client's last connection."},
			{name: "netmask", typ: tCount, doc: "Length of the IPv4 prefix that counts as one client (default 32)."},
			{name: "netmask6", typ: tCount, doc: "Length of the IPv6 prefix that counts as one client (default 128)."},
		},
	}
	quorumGroup = &block{
		name: "quorum", one: true, group: true, asks: true, doc: "How many destinations must take connections for the service to live.",
		attrs: []*attr{
			{name: "min_up", typ: tQuorum, def: "1", doc: "Below it the service is down."},
			{name: "restore", typ: tQuorum, doc: "From it on the service is up again (default min_up)."},
			{name: "by", typ: tQuorumBy, def: `"count"`, doc: "What is added up: count or weight."},
			{name: "on_loss", typ: tOnLoss, def: `"withdraw"`, doc: "Without quorum and sorry server: withdraw takes nobody new, so that others who look at the VIP go elsewhere; keep goes on with who lives."},
		},
	}
	serviceBlock = &block{
		name: "virtual_service", label: "name", doc: "VIP, ports and the whole path of a packet.",
		attrs: []*attr{
			{name: "region", typ: ref("region"), must: true, doc: "Where its VIP is."},
			{name: "vip", typ: tAddrs, must: true, show: true, doc: "Its address, or one of each family."},
			{name: "ports", typ: tPorts, must: true, doc: "Protocols and ports: \"tcp/80\"."},
			{name: "check", typ: ref("check"), doc: "Of the VIP and of tiers without their own (default: connect to the first TCP port)."},
			{name: "sorry", typ: tSorry, doc: "Who answers when nobody else can: an address, one of each family, or \"local\", a program on the director."},
			{name: "fwmark", typ: tMark, doc: "Firewall mark by which all its ports are one service: a client is at the same server on each."},
			{name: "anycast", typ: tBool, def: "false", later: "Anycast VIPs", doc: "One VIP in several places."},
		},
		kids: []*block{persistenceGroup, quorumGroup, tierBlock},
	}
	tierBlock = &block{
		name: "tier", label: "name", doc: "One stage of forwarding, in the order of the packet.",
		attrs: []*attr{
			{name: "directors", typ: refs("director", "failover"), must: true, doc: "Who forwards."},
			{name: "method", typ: tMethod, must: true, doc: "nat, tun or dr."},
			{name: "scheduler", typ: tScheduler, doc: "Who gets the next connection (default mh before the last tier and of a failover pair, else wlc)."},
			{name: "farms", typ: refs("farm"), doc: "Last tier: the farms it feeds."},
			{name: "check", typ: ref("check"), doc: "Of its destinations (default the service's)."},
			{name: "flags", typ: tStrings, doc: "Flags of the scheduler: fallback, port (default fallback for sh and mh)."},
			{name: "encap", typ: tString, def: `"ipip"`, later: "Encapsulation other than IP in IP", doc: "Encapsulation of tun: ipip, gue or gre."},
			{name: "encap_port", typ: tPort, def: "6080", later: "Encapsulation in UDP", doc: "UDP port of gue."},
			{name: "sorry", typ: tSorry, doc: "Who answers when nobody else can (default, last tier: the service's)."},
			{name: "inhibit", typ: tBool, doc: "Whether what is down stays in the table with weight 0, which keeps its connections (default: TCP by sh and mh)."},
			{name: "one_packet", typ: tBool, doc: "Schedules every datagram anew (default false)."},
			{name: "fullnat", typ: tBool, def: "false", later: "Full NAT", doc: "Rewrites the client's address too."},
		},
		kids: []*block{persistenceGroup, quorumGroup},
	}
	policyBlock = &block{
		name: "policy", label: "name", doc: "How a domain's answer is chosen: steps in order.",
		kids: []*block{{
			name: "step", label: "kind", doc: "One step: health, prefixes, geo, asn, nearest, failover, weight, sticky, rotate, limit or policy.",
			attrs: []*attr{
				{name: "fail_open", typ: tBool, def: "true", doc: "health: when all are down, all are answered."},
				{name: "fail_to", typ: ref("region"), doc: "health: instead of fail_open: when all are down, the places of this region are answered."},
				{name: "answers", typ: tCount, def: "1", doc: "limit: at most so many places."},
				{name: "default", typ: ref("region"), doc: "prefixes: region of the clients that no prefix names."},
				{name: "policy", typ: ref("policy"), doc: "policy: whose steps stand here."},
			},
		}},
	}
	domainBlock = &block{
		name: "domain", label: "owner", doc: "A steered name. The label is relative to the zone; \"@\" is the zone itself.",
		attrs: []*attr{
			{name: "name", typ: tString, doc: "Owner when the label cannot be it, as with for_each."},
			{name: "zone", typ: ref("zone"), must: true, doc: "Zone it is in."},
			{name: "ttl", typ: tTTL, def: `"30s"`, doc: "TTL of its answers."},
			{name: "policy", typ: ref("policy"), doc: "How the answer is chosen (default health, weight, rotate, limit 1; of hosts health)."},
			{name: "min_ttl", typ: tTTL, doc: "Lowest TTL while a change is near (default ttl: it does not change)."},
			{name: "types", typ: tStrings, doc: "Record types that are answered: A and AAAA (the default), HTTPS and SVCB beside them or alone, SRV, or MX."},
			{name: "params", typ: tParams, doc: "HTTPS, SVCB: service parameters but for the hints, which are the addresses that are answered."},
		},
		kids: []*block{{
			name: "answer", label: "name", doc: "One place the name may point to.",
			attrs: []*attr{
				{name: "service", typ: ref("virtual_service"), doc: "Service whose VIPs are answered."},
				{name: "addresses", typ: tIPs, doc: "Instead of service: literal addresses."},
				{name: "region", typ: ref("region"), doc: "Where they are (default the service's region)."},
				{name: "weight", typ: tWeight, def: "1", doc: "Share of the answers."},
				{name: "check", typ: ref("check"), doc: "Of the addresses (default the service's; literal addresses: none)."},
				{name: "cname", typ: tString, doc: "Instead of service: a name, answered alone."},
				{name: "target", typ: tString, doc: "SRV, MX, and HTTPS and SVCB without A and AAAA: the host that the record leads to; service or addresses say whether it is up."},
				{name: "priority", typ: tPriority, doc: "Of the target, lower ones first (default 1); 0 in HTTPS and SVCB: the target is another name of the domain's (AliasMode)."},
				{name: "port", typ: tPort, doc: "SRV: where the target listens (default the service's, when it has one)."},
				{name: "bias", typ: tBias, doc: "Percentage by which it counts as nearer than it is; negative: as further (default the region's)."},
			},
		}},
	}
)

// The reference-able kinds: those an expression may name.
var kinds = []string{
	"zone", "region", "nameserver", "network", "director", "failover",
	"farm", "check", "virtual_service", "policy", "domain",
}
