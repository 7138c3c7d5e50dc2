package main

import (
	"slices"
	"time"
)

// An event is something that has happened to the director.
type event struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // "up", "down", "agent", "override", "drift", "reload", "pair", "sync", "trouble" or "well"
	Text string    `json:"text"`
}

// maxEvents is how many of them are kept to be shown.
const maxEvents = 20

// happened keeps an event, the last ones only.
func (k *desk) happened(kind, text string) {
	if len(k.events) == maxEvents {
		k.events = slices.Delete(k.events, 0, 1)
	}
	k.events = append(k.events, event{time.Now().UTC(), kind, text})
}
