package conf

import (
	"fmt"
	"slices"
)

// foreign are words of other programs for what has another name here.
var foreign = map[string]struct{ ours, tool string }{
	"lb_algo":             {"scheduler", "keepalived"},
	"lvs_sched":           {"scheduler", "keepalived"},
	"lb_kind":             {"method", "keepalived"},
	"lvs_method":          {"method", "keepalived"},
	"delay_loop":          {"interval", "keepalived"},
	"connect_timeout":     {"timeout", "keepalived"},
	"retry":               {"fall", "keepalived"},
	"persistence_timeout": {"persistence", "keepalived"},
	"sorry_server":        {"sorry", "keepalived"},
	"virtual_server":      {"virtual_service", "keepalived"},
	"real_server":         {"server", "keepalived"},
	"vrrp_instance":       {"failover", "keepalived"},
	"virtual_router_id":   {"id", "keepalived"},
	"advert_int":          {"advert", "keepalived"},
	"virtual_ipaddress":   {"vips", "keepalived"},
	"ops":                 {"one_packet", "keepalived"},
	"up_thresh":           {"rise", "gdnsd"},
	"down_thresh":         {"fall", "gdnsd"},
	"service_types":       {"check", "gdnsd"},
	"datacenter":          {"region", "gdnsd"},
	"datacenters":         {"region", "gdnsd"},
	"hosted_zone":         {"zone", "Route 53"},
	"health_check":        {"check", "Route 53"},
	"failure_threshold":   {"fall", "Route 53"},
	"record_set":          {"record", "Route 53"},
	"backend":             {"farm", "HAProxy"},
	"balance":             {"scheduler", "HAProxy"},
	"pool":                {"farm", "F5"},
	"member":              {"server", "F5"},
	"monitor":             {"check", "F5"},
	"virtual":             {"virtual_service", "F5"},
	"wide_ip":             {"domain", "F5"},
	"count":               {"for_each", "Terraform"},
	"dynamic":             {"for_each", "Terraform"},
}

// translated is the word that w of another program stands for among words,
// with the sentence that says so.
func translated(w string, words []string) (ours, help string) {
	f, ok := foreign[w]
	if !ok || !slices.Contains(words, f.ours) {
		return "", ""
	}
	return f.ours, fmt.Sprintf("What %s calls %s is %s here.", f.tool, w, f.ours)
}
