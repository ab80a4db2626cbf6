package bot

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/runbook"
)

const testDrill = "rb-drillabcdefgh"

func newDrill(t *testing.T) *story {
	s := newStory(t)
	s.id = testDrill
	return s
}

// drills are a drill's messages.
func drills(t *testing.T, all map[string]Message) {
	fetching := newDrill(t)
	fetching.plan.Missing = map[runbook.Host][]runbook.Image{"deploy@two": {imageOf("api", 1)}}
	all["drill_request"] = marked(testDrill, fetching.requested().requestMessage())
	all["drill_plan"] = marked(testDrill, planMessage(fetching.rb))
	all["drill_question"] = marked(testDrill, newDrill(t).broken().question())
	all["drill_record"] = marked(testDrill, newDrill(t).succeeded().record())
	asleep := newDrill(t).requested().event(10*time.Minute, runbook.Reminded{Question: 1}, runbook.DeputiesAsked{Question: 1})
	all["drill_private"] = marked(testDrill, askedMessage(asleep.rb, 1, runbook.StageDeputies, "https://x.example/p1", asleep.view()))
}

// Whatever a drill says is marked where people look first, within Slack's limits; and says nothing that is true of a
// rollback alone.
func TestMessages_OfADrillAreMarked(t *testing.T) {
	own := map[string]Message{}
	drills(t, own)
	for name, m := range own {
		text := string(asJSON(t, m))
		for _, wrong := range []string{"are quarantined", "Quarantine: ", "may not be deployed again", "/rollback shop", "not accepted yet", "hash chain", `"rollback_request"`, `"rollback_record"`} {
			if strings.Contains(text, wrong) {
				t.Errorf("%s says %q", name, wrong)
			}
		}
	}
	all := goldenMessages(t)
	maps.Copy(all, hugeMessages(t))
	for name, m := range all {
		if strings.HasPrefix(name, "drill_") {
			continue // marked already
		}
		t.Run(name, func(t *testing.T) {
			m = marked(testDrill, m)
			checkLimits(t, m)
			header := false
			walk(blocksOf(t, m), func(n node) {
				title, _ := n["text"].(node)
				header = header || n["type"] == "header" && strings.HasPrefix(title["text"].(string), "DRILL: ")
				if confirm, ok := n["confirm"].(node); ok && n["type"] == "button" && !strings.HasPrefix(confirm["title"].(node)["text"].(string), "DRILL: ") {
					t.Errorf("a dialog isn't marked: %v", confirm)
				}
			})
			if !header || !strings.HasPrefix(m.Text, "DRILL: ") {
				t.Errorf("it isn't marked: %s", m.Text)
			}
		})
	}
}

// Every kind of notice comes out marked, and is found again by its own metadata, which no rollback's is taken for.
func TestAnnouncer_MarksDrills(t *testing.T) {
	a := NewAnnouncer(NewClient("xoxb-test", "xapp-test", "http://127.0.0.1:1/"), AnnouncerConfig{Channel: "C1"}, zerolog.Nop())
	drill, real := newDrill(t).succeeded().rb, newStory(t).succeeded().rb
	for _, kind := range []runbook.NoticeKind{runbook.NoticeRequest, runbook.NoticeRecord, runbook.NoticePlan, runbook.NoticeQuestion, runbook.NoticeAsked} {
		notice := runbook.Notice{Key: string(kind), Kind: kind, Rollback: drill, Question: 1}
		if m := a.message(notice); !strings.HasPrefix(m.Text, "DRILL: ") {
			t.Errorf("%s isn't marked: %s", kind, m.Text)
		}
		notice.Rollback = real
		if m := a.message(notice); strings.Contains(m.Text, "DRILL") {
			t.Errorf("%s of a rollback is marked: %s", kind, m.Text)
		}
	}
	if eventOf(drill.ID, eventRecord) != "rollback_drill_record" || eventOf(drill.ID, eventRequest) != "rollback_drill_request" || eventOf(real.ID, eventRecord) != eventRecord || eventOf(drill.ID, eventNotice) != eventNotice {
		t.Error("the event types are others")
	}
}
