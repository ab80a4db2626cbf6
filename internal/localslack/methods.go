package localslack

// methods is the Web API as far as it goes here. Scopes and tiers are those of each method's page under
// https://docs.slack.dev/reference/methods.
func methods() map[string]method {
	reads := []string{"channels:read", "groups:read", "im:read", "mpim:read"}
	history := []string{"channels:history", "groups:history", "im:history", "mpim:history"}
	return map[string]method{
		"api.test":              {open: true, tier: tier4, run: (*Server).apiTest},
		"auth.test":             {tier: tierNone, run: (*Server).authTest},
		"apps.connections.open": {app: true, tier: tier1, run: (*Server).connectionsOpen},
		"bots.info":             {scopes: []string{"users:read"}, tier: tier3, run: (*Server).botsInfo},

		"chat.postMessage":   {scopes: []string{"chat:write"}, tier: tierPosting, run: (*Server).chatPostMessage},
		"chat.update":        {scopes: []string{"chat:write"}, tier: tier3, run: (*Server).chatUpdate},
		"chat.delete":        {scopes: []string{"chat:write"}, tier: tier3, run: (*Server).chatDelete},
		"chat.postEphemeral": {scopes: []string{"chat:write"}, tier: tier4, run: (*Server).chatPostEphemeral},
		"chat.getPermalink":  {tier: tierNone, run: (*Server).chatGetPermalink},

		"conversations.info":    {scopes: reads, tier: tier3, run: (*Server).conversationsInfo},
		"conversations.list":    {scopes: reads, tier: tier2, run: (*Server).conversationsList},
		"conversations.members": {scopes: reads, tier: tier4, run: (*Server).conversationsMembers},
		"conversations.history": {scopes: history, tier: tier3, run: (*Server).conversationsHistory},
		"conversations.replies": {scopes: history, tier: tier3, run: (*Server).conversationsReplies},
		"conversations.open":    {scopes: []string{"im:write"}, tier: tier3, run: (*Server).conversationsOpen},

		"users.conversations": {scopes: reads, tier: tier3, run: (*Server).usersConversations},

		"users.info": {scopes: []string{"users:read"}, tier: tier4, run: (*Server).usersInfo},
		"users.list": {scopes: []string{"users:read"}, tier: tier2, run: (*Server).usersList},

		"usergroups.list":       {scopes: []string{"usergroups:read"}, tier: tier2, run: (*Server).usergroupsList},
		"usergroups.users.list": {scopes: []string{"usergroups:read"}, tier: tier2, run: (*Server).usergroupsUsersList},

		"views.open":    {tier: tier4, run: (*Server).viewsOpen},
		"views.push":    {tier: tier4, run: (*Server).viewsPush},
		"views.update":  {tier: tier4, run: (*Server).viewsUpdate},
		"views.publish": {tier: tier4, run: (*Server).viewsPublish},

		"files.getUploadURLExternal":   {scopes: []string{"files:write"}, tier: tier4, run: (*Server).filesGetUploadURL},
		"files.completeUploadExternal": {scopes: []string{"files:write"}, tier: tier4, run: (*Server).filesCompleteUpload},
	}
}
