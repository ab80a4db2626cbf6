package terminal

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"rollbackbot/runbook"
)

// What was refused may be said again with the same signature: it is another delivery.
func TestSaid_AgainIsAnotherDelivery(t *testing.T) {
	said := Said{By: "U0LENA", Signature: "s", Plan: "9f", Rollback: "rb-7q2mzk4x", Question: 1, Answer: runbook.SignoffInPlace}
	first, err := said.Delivery(time.Now())
	second, otherwise := said.Delivery(time.Now())
	if err != nil || otherwise != nil || first.Key == second.Key || !IsKind(first.Kind) || first.Kind != KindAnswer {
		t.Errorf("%+v and %+v, %v, %v", first, second, err, otherwise)
	}
	var back Said
	if err := json.Unmarshal(first.Body, &back); err != nil || !reflect.DeepEqual(back, said) {
		t.Errorf("it comes back as %+v, %v", back, err)
	}
	if text := said.Statement().Text(); text != "rollbackbot signoff_in_place rb-7q2mzk4x/1 9f\n" {
		t.Errorf("what is signed is %q", text)
	}
	said.Request = &runbook.Request{ID: "rb-7q2mzk4x"}
	if d, err := said.Delivery(time.Now()); err != nil || d.Kind != KindRequest || said.Statement().Text() != "rollbackbot request rb-7q2mzk4x 9f\n" {
		t.Errorf("a request is %+v, %v, signed as %q", d, err, said.Statement().Text())
	}
}
