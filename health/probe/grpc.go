package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gslb/topology"
)

// serving asks grpc.health.v1.Health/Check of the check's service, over HTTP/2.
// The two messages of that protocol have one field each and are written and
// read by hand: service (1, string) and status (1, enumeration).
func serving(ctx context.Context, p Probe) error {
	scheme := "http"
	if p.Check.TLS {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+authority(p)+"/grpc.health.v1.Health/Check", bytes.NewReader(checkRequest(p.Check.Service)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	request.Header.Set("User-Agent", agent)
	request.Header.Set("Grpc-Timeout", strconv.FormatInt(int64(p.Check.Timeout/time.Millisecond), 10)+"m")
	return http2(ctx, p, p.Check.TLS, request, func(answer *http.Response) error { return called(p.Check, answer) })
}

// called reports what the answer to the call says, nil if the service serves.
func called(c *topology.Check, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return cause(err)
	}
	// A call that fails at once has its status in the header.
	status, text := answer.Trailer.Get("Grpc-Status"), answer.Trailer.Get("Grpc-Message")
	if status == "" {
		status, text = answer.Header.Get("Grpc-Status"), answer.Header.Get("Grpc-Message")
	}
	switch {
	case status == "":
		return errors.New("the server does not speak gRPC: the reply has no grpc-status")
	case status == "5":
		return fmt.Errorf("the server does not know the service %q", c.Service)
	case status == "12":
		return errors.New("the server does not offer grpc.health.v1.Health")
	case status != "0":
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		return fmt.Errorf("grpc status %s %s", excerpt([]byte(status)), excerpt([]byte(text)))
	}
	state, err := checkResponse(body)
	if err != nil {
		return err
	}
	if state != 1 {
		return fmt.Errorf("the service is %s", servingStatus(state))
	}
	return nil
}

// checkRequest is a HealthCheckRequest behind the five bytes that come before
// every message: not compressed, length.
func checkRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = append(message, 1<<3|2) // field 1, length-delimited
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

var errMessage = errors.New("the reply is no HealthCheckResponse")

// checkResponse reads the status of a HealthCheckResponse with its five bytes.
// A field that is left out is 0; fields of other numbers are passed over.
func checkResponse(body []byte) (status uint64, err error) {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-5) {
		return 0, errMessage
	}
	for rest := body[5:]; len(rest) > 0; {
		key, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, errMessage
		}
		rest = rest[n:]
		var length uint64
		switch key & 7 {
		case 0: // varint
			value, n := binary.Uvarint(rest)
			if n <= 0 {
				return 0, errMessage
			}
			if key>>3 == 1 {
				status = value
			}
			length = uint64(n)
		case 1:
			length = 8
		case 2:
			size, n := binary.Uvarint(rest)
			if n <= 0 || size > uint64(len(rest)) {
				return 0, errMessage
			}
			length = uint64(n) + size
		case 5:
			length = 4
		default:
			return 0, errMessage
		}
		if length > uint64(len(rest)) {
			return 0, errMessage
		}
		rest = rest[length:]
	}
	return status, nil
}

// servingStatus is HealthCheckResponse.ServingStatus of health.proto.
func servingStatus(n uint64) string {
	names := []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if n < uint64(len(names)) {
		return names[n]
	}
	return "in status " + strconv.FormatUint(n, 10)
}
