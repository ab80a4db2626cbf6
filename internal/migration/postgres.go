package migration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	postgres "github.com/wasilibs/go-pgquery/parser"
)

// parsePostgres reads a statement with PostgreSQL 17's own parser. Of its syntax tree, the JSON that libpg_query gives, we
// decode strictly: a field that a rule does not name makes the rule not apply.
func parsePostgres(text string, made names) ([]opinion, error) {
	tree, err := postgres.ParseToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	var parsed struct {
		Stmts []struct {
			Stmt node `json:"stmt"`
		} `json:"stmts"`
	}
	if err := json.Unmarshal([]byte(tree), &parsed); err != nil {
		return nil, fmt.Errorf("PostgreSQL's syntax tree: %w", err)
	}
	var opinions []opinion
	for _, s := range parsed.Stmts {
		opinions = append(opinions, judgePostgres(s.Stmt, made))
	}
	return opinions, nil
}

// node is one node of the tree: its kind, and its fields.
type node map[string]json.RawMessage

// one gives a node's kind and fields; no kind is a node that can't be told.
func (n node) one() (kind string, fields json.RawMessage) {
	if len(n) != 1 {
		return "", nil
	}
	for kind, fields = range n {
	}
	return kind, fields
}

// as decodes a node of one kind, all of whose fields T names.
func as[T any](n node, kind string) (T, bool) {
	got, fields := n.one()
	if got != kind {
		var none T
		return none, false
	}
	return strict[T](fields)
}

func strict[T any](fields json.RawMessage) (T, bool) {
	var value T
	decoder := json.NewDecoder(bytes.NewReader(fields))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		return value, false
	}
	_, err := decoder.Token()
	return value, err == io.EOF
}

// anything is a part of a statement that may be whatever it likes: nothing the former version uses depends on it.
type anything = json.RawMessage

// pgTable is the name of a table or of what is like one.
type pgTable struct {
	Schema      string `json:"schemaname"`
	Name        string `json:"relname"`
	Inherit     bool   `json:"inh"`
	Persistence string `json:"relpersistence"` // p, u (unlogged), t (temporary)
	Location    int    `json:"location"`
}

func (t pgTable) key() string { return name(t.Schema, t.Name) }

// judgePostgres goes by the kind of a statement. What is not here is not known to only add.
func judgePostgres(statement node, made names) opinion {
	kind, _ := statement.one()
	switch kind {
	case "CreateStmt":
		return pgCreateTable(statement, made)
	case "AlterTableStmt":
		return pgAlterTable(statement, made)
	case "IndexStmt":
		return pgCreateIndex(statement, made)
	case "ViewStmt":
		return pgCreateView(statement)
	case "CreateEnumStmt", "CompositeTypeStmt", "CreateDomainStmt":
		return pgCreateType(statement, made)
	case "CreateSchemaStmt", "CreatedbStmt", "CreateSeqStmt":
		return pgCreateOther(statement)
	case "CommentStmt":
		return adds("a comment: the database does nothing by it")
	case "TransactionStmt":
		return pgTransaction(statement)
	case "VariableSetStmt":
		return pgSet(statement)
	}
	if why, known := pgBreaking[kind]; known {
		return breaks("%s", why)
	}
	return breaks("a %s is not on the list of what only adds", kind)
}

// pgBreaking says of the most frequent other statements what they do.
var pgBreaking = map[string]string{
	"AlterDefaultPrivilegesStmt": "changes rights",
	"AlterEnumStmt":              "changes an enum: the former version may read a value that it does not know",
	"AlterObjectSchemaStmt":      "moves something to another schema, where the former version does not look",
	"AlterOwnerStmt":             "changes who owns something, and so rights",
	"AlterPolicyStmt":            "changes which rows the former version sees or may write",
	"AlterSeqStmt":               "changes a sequence that the former version may draw from",
	"AlterTypeStmt":              "changes a type",
	"AlterDomainStmt":            "changes a domain, which may refuse what the former version writes",
	"CallStmt":                   "runs a procedure, which may do anything",
	"CopyStmt":                   "writes or reads data",
	"CreateExtensionStmt":        "runs an extension's script, which may do anything",
	"CreateFunctionStmt":         "a function: it may be chosen in place of another one, or make a call ambiguous",
	"CreatePolicyStmt":           "changes which rows the former version sees or may write",
	"CreateTableAsStmt":          "runs a query to fill it, whose functions may change anything",
	"CreateTrigStmt":             "a trigger runs on what the former version writes",
	"CreateEventTrigStmt":        "a trigger runs on what anybody defines",
	"DeleteStmt":                 "deletes data",
	"DoStmt":                     "runs code, which may do anything",
	"DropOwnedStmt":              "drops things",
	"DropStmt":                   "drops what the former version may use",
	"ExecuteStmt":                "runs a prepared statement, which may do anything",
	"GrantRoleStmt":              "changes rights",
	"GrantStmt":                  "changes rights",
	"InsertStmt":                 "adds data, which the former version may not expect",
	"MergeStmt":                  "changes data",
	"RefreshMatViewStmt":         "changes the data of a materialized view",
	"RenameStmt":                 "renames what the former version may use",
	"RuleStmt":                   "a rule rewrites what the former version sends",
	"SelectStmt":                 "runs a query, whose functions may change anything",
	"TruncateStmt":               "deletes data",
	"UpdateStmt":                 "changes data",
}
