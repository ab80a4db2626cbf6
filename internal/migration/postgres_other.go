package migration

import (
	"slices"
	"strings"
)

// pgCreateView: https://www.postgresql.org/docs/current/sql-createview.html. Its query does not run now.
func pgCreateView(statement node) opinion {
	view, known := as[struct {
		View    pgTable    `json:"view"`
		Aliases []anything `json:"aliases"`
		Query   anything   `json:"query"`
		Replace bool       `json:"replace"`
		Options []anything `json:"options"`
		Check   string     `json:"withCheckOption"`
	}](statement, "ViewStmt")
	switch {
	case !known:
		return breaks("a view with a part that is not on the list of what only adds")
	case view.Replace:
		return breaks("replaces a view that the former version may read")
	}
	return adds("a new view, which the former version does not use")
}

// pgCreateType: a type is used by nobody until a column has it.
func pgCreateType(statement node, made names) opinion {
	kind, fields := statement.one()
	switch kind {
	case "CreateEnumStmt":
		enum, known := strict[struct {
			Name   []node     `json:"typeName"`
			Values []anything `json:"vals"`
		}](fields)
		if !known {
			return breaks("a type with a part that is not on the list of what only adds")
		}
		schema, base := pgType{Names: enum.Name}.split()
		made[typeName(schema, base)] = true
	case "CompositeTypeStmt":
		if _, known := strict[struct {
			Name    anything `json:"typevar"`
			Columns anything `json:"coldeflist"`
		}](fields); !known {
			return breaks("a type with a part that is not on the list of what only adds")
		}
	case "CreateDomainStmt": // may refuse NULL: a new column of it is judged as one of a type that nobody knows
	}
	return adds("a new type, which the former version does not use")
}

// pgCreateOther is what stands by itself.
func pgCreateOther(statement node) opinion {
	kind, fields := statement.one()
	switch kind {
	case "CreateSchemaStmt":
		if _, known := strict[struct {
			Name        string `json:"schemaname"`
			IfNotExists bool   `json:"if_not_exists"`
		}](fields); !known {
			return breaks("a schema with an owner or with things in it: one named for its owner comes first on their search path")
		}
		return adds("a new, empty schema")
	case "CreatedbStmt":
		if _, known := strict[struct {
			Name string `json:"dbname"`
		}](fields); !known {
			return breaks("a database with options that are not on the list of what only adds")
		}
		return adds("a new database")
	}
	sequence, known := strict[struct {
		Sequence    pgTable `json:"sequence"`
		Options     []node  `json:"options"`
		IfNotExists bool    `json:"if_not_exists"`
	}](fields)
	for _, o := range sequence.Options {
		option, _ := as[struct {
			Name string `json:"defname"`
		}](o, "DefElem")
		known = known && pgSequenceOptions[option.Name]
	}
	if !known {
		return breaks("a sequence with a part that is not on the list of what only adds")
	}
	return adds("a new sequence, which the former version does not use")
}

// Not owned_by, which ties the sequence to a column that may be there already.
var pgSequenceOptions = setOf("start", "increment", "minvalue", "maxvalue", "cache", "cycle", "as")

// pgTransaction: only what goes forward. A ROLLBACK undoes what this judge has already read.
func pgTransaction(statement node) opinion {
	transaction, known := as[struct {
		Kind     string     `json:"kind"`
		Options  []anything `json:"options"`
		Name     string     `json:"savepoint_name"`
		Location int        `json:"location"`
	}](statement, "TransactionStmt")
	kind := strings.TrimPrefix(transaction.Kind, "TRANS_STMT_")
	if known && slices.Contains([]string{"BEGIN", "START", "COMMIT", "SAVEPOINT", "RELEASE"}, kind) {
		return adds("begins or ends a transaction, and changes nothing by itself")
	}
	return breaks("goes back in a transaction, or leaves one prepared")
}

// pgSet knows the settings that are about waiting and reporting.
func pgSet(statement node) opinion {
	set, known := as[struct {
		Kind     string `json:"kind"`
		Name     string `json:"name"`
		Args     []node `json:"args"`
		Local    bool   `json:"is_local"`
		Location int    `json:"location"`
	}](statement, "VariableSetStmt")
	switch {
	case known && set.Kind == "VAR_SET_VALUE" && harmlessSettings[strings.ToLower(set.Name)]:
		return adds("a setting of its own session about waiting or reporting")
	case known && set.Kind == "VAR_SET_VALUE" && strings.EqualFold(set.Name, "client_encoding") && len(set.Args) == 1 && utf8Names[pgString(set.Args[0])]:
		return adds("the encoding that this judge reads as well")
	}
	return breaks("a setting that may change what the statements after it mean")
}

// harmlessSettings are about waiting and reporting, in PostgreSQL and in MySQL: each reads the other's as well, and has
// none of that name.
var harmlessSettings = setOf("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout",
	"client_min_messages", "application_name", "maintenance_work_mem", "lock_wait_timeout", "innodb_lock_wait_timeout")

var utf8Names = setOf("utf8", "utf-8", "unicode", "utf8mb4", "utf8mb3")

func pgString(n node) string {
	value, _ := as[struct {
		String struct {
			Value string `json:"sval"`
		} `json:"sval"`
		Location int `json:"location"`
	}](n, "A_Const")
	return strings.ToLower(value.String.Value)
}
