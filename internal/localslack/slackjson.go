package localslack

import (
	"slices"
	"strconv"
	"time"
)

// slackMessage is a message in Slack's JSON; metadata only where it was asked for.
func (w *world) slackMessage(c *conversation, m *Message, withMetadata bool) object {
	o := object{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text, "team": w.ws.TeamID}
	if m.Subtype != "" {
		o["subtype"] = m.Subtype
	}
	if m.BotID != "" {
		o["bot_id"], o["app_id"] = m.BotID, w.appID
		o["bot_profile"] = w.botObject()
	}
	if m.Blocks != nil {
		o["blocks"] = m.Blocks
	}
	if m.Attachments != nil {
		o["attachments"] = m.Attachments
	}
	if len(m.Files) > 0 {
		o["files"] = w.slackFiles(m.Files)
	}
	if m.Edited {
		o["edited"] = object{"user": m.User, "ts": strconv.FormatInt(m.EditedAt.Unix(), 10) + ".000000"}
	}
	if m.Metadata != nil && withMetadata {
		o["metadata"] = m.Metadata
	}
	w.addThread(o, c, m)
	return o
}

// addThread says which thread a message belongs to, and on a thread's first message what the thread has.
func (w *world) addThread(o object, c *conversation, m *Message) {
	if m.ThreadTS != "" {
		o["thread_ts"] = m.ThreadTS
		if parent := c.message(m.ThreadTS); parent != nil {
			o["parent_user_id"] = parent.User
		}
		return
	}
	replies := c.replies(m.TS)
	if len(replies) == 0 {
		return
	}
	var authors []string
	for _, r := range replies {
		if !slices.Contains(authors, r.User) {
			authors = append(authors, r.User)
		}
	}
	o["thread_ts"], o["reply_count"] = m.TS, len(replies)
	o["reply_users"], o["reply_users_count"] = authors, len(authors)
	o["latest_reply"] = replies[len(replies)-1].TS
}

func (w *world) botObject() object {
	return object{
		"id": w.botID, "app_id": w.appID, "user_id": w.ws.BotUser, "team_id": w.ws.TeamID,
		"name": w.user(w.ws.BotUser).Name, "deleted": false, "updated": 0, "icons": object{},
	}
}

// slackUser is a user in Slack's JSON.
func (w *world) slackUser(u *User) object {
	o := object{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "deleted": u.Deleted, "real_name": u.RealName,
		"profile": object{
			"real_name": u.RealName, "real_name_normalized": u.RealName,
			"display_name": u.Name, "display_name_normalized": u.Name, "team": u.TeamID,
		},
		"is_bot": u.Bot, "is_app_user": false, "is_admin": false, "is_owner": false, "is_primary_owner": false,
		"is_restricted": u.Guest || u.SingleChannelGuest, "is_ultra_restricted": u.SingleChannelGuest,
		"tz": "Etc/UTC", "tz_label": "Coordinated Universal Time", "tz_offset": 0, "updated": 0,
	}
	if u.Stranger {
		o["is_stranger"] = true
	}
	return o
}

// slackChannel is a conversation in Slack's JSON, as the app sees it.
func (w *world) slackChannel(c *conversation) object {
	if c.With != "" {
		return object{
			"id": c.ID, "created": c.Created.Unix(), "is_im": true, "user": c.With,
			"is_archived": false, "is_org_shared": false, "is_ext_shared": false, "is_shared": false,
		}
	}
	o := object{
		"id": c.ID, "name": c.Name, "name_normalized": c.Name, "created": c.Created.Unix(), "creator": "USLACKBOT",
		"context_team_id": w.ws.TeamID, "shared_team_ids": []string{w.ws.TeamID},
		"is_channel": !c.Private, "is_group": c.Private, "is_im": false, "is_mpim": false,
		"is_private": c.Private, "is_archived": c.Archived, "is_general": false,
		"is_member": c.isMember(w.ws.BotUser),
		"is_shared": c.Shared, "is_ext_shared": c.Shared, "is_org_shared": false, "is_pending_ext_shared": false,
		"num_members": len(c.Members),
		"topic":       object{"value": "", "creator": "", "last_set": 0},
		"purpose":     object{"value": "", "creator": "", "last_set": 0},
	}
	if c.Shared {
		o["connected_team_ids"] = []string{"T0OTHER"}
	}
	return o
}

// slackGroup is a user group in Slack's JSON.
func (w *world) slackGroup(g *UserGroup, created time.Time, withUsers bool) object {
	deleted := int64(0)
	if g.Disabled {
		deleted = created.Unix()
	}
	o := object{
		"id": g.ID, "team_id": w.ws.TeamID, "is_usergroup": true, "name": g.Handle, "handle": g.Handle,
		"description": "", "is_external": false, "auto_type": nil,
		"date_create": created.Unix(), "date_update": created.Unix(), "date_delete": deleted,
		"user_count": len(g.Members),
	}
	if withUsers {
		o["users"] = orEmpty(g.Members)
	}
	return o
}

func (w *world) slackFiles(files []File) []object {
	out := make([]object, 0, len(files))
	for _, f := range files {
		out = append(out, object{
			"id": f.ID, "name": f.Name, "title": f.Title, "mimetype": f.MIME, "size": len(f.Content),
			"mode": "hosted", "is_external": false, "user": w.ws.BotUser,
		})
	}
	return out
}

// orEmpty is the list, and an empty one where there is none: Slack sends [] rather than null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
