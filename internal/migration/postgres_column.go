package migration

import "slices"

// pgConstraint is a constraint of a column with the fields that one which only adds has. Of another one the decoding
// fails, and Type is there all the same.
type pgConstraint struct {
	Type       string `json:"contype"`
	Name       string `json:"conname"`
	Expression node   `json:"raw_expr"`
	Location   int    `json:"location"`
}

var pgConstraints = map[string]string{
	"CONSTR_CHECK":     "CHECK: it may refuse what the former version writes",
	"CONSTR_EXCLUSION": "EXCLUDE: it may refuse what the former version writes",
	"CONSTR_FOREIGN":   "a foreign key: it may refuse what the former version writes or deletes",
	"CONSTR_GENERATED": "a generated column is computed on each write of the former version, which fails where that does",
	"CONSTR_IDENTITY":  "an identity column draws from a sequence on each write of the former version, and can run out",
	"CONSTR_NOTNULL":   "NOT NULL: the former version may leave the column out",
	"CONSTR_PRIMARY":   "PRIMARY KEY: the former version may write a value twice, or none",
	"CONSTR_UNIQUE":    "UNIQUE: the former version may write a value twice",
}

// pgType is the type of a column, without what only functions have.
type pgType struct {
	Names     []node     `json:"names"`
	Modifiers []anything `json:"typmods"`
	Modifier  int        `json:"typemod"`
	Arrays    []anything `json:"arrayBounds"`
	Location  int        `json:"location"`
}

// pgAddColumn judges a new column of a table that the former version may use: its INSERTs leave it out, so that it takes
// its default, or NULL.
func pgAddColumn(command pgCommand, made names) opinion {
	column, known := as[struct {
		Name        string   `json:"colname"`
		Type        pgType   `json:"typeName"`
		Local       bool     `json:"is_local"`
		Constraints []node   `json:"constraints"`
		Collation   anything `json:"collClause"`
		Location    int      `json:"location"`
	}](command.Definition, "ColumnDef")
	if !known {
		return breaks("a column with a part that is not on the list of what only adds")
	}
	if o := pgColumnType(column.Type, made); o != (opinion{}) {
		return o
	}
	notNull, filled, def := false, false, defaultValue("")
	for _, c := range column.Constraints {
		constraint, known := as[pgConstraint](c, "Constraint")
		switch {
		case known && constraint.Type == "CONSTR_NULL":
		case known && constraint.Type == "CONSTR_NOTNULL":
			notNull = true
		case known && constraint.Type == "CONSTR_DEFAULT":
			def, filled = pgDefault(constraint.Expression, made), true
		default:
			if why, known := pgConstraints[constraint.Type]; known {
				return breaks("%s", why)
			}
			return breaks("a column with a constraint that is not on the list of what only adds")
		}
	}
	return newColumn(notNull, filled, def)
}

// defaultValue is what is known of a column's default.
type defaultValue string

const (
	constant defaultValue = "a constant"
	null     defaultValue = "NULL"
	clock    defaultValue = "the time, or a random UUID" // can be evaluated for anybody, at any time
	computed defaultValue = "an expression"              // may fail, or do anything
)

// newColumn judges a new column without other constraints by its default.
func newColumn(notNull, filled bool, def defaultValue) opinion {
	switch {
	case def == computed:
		return breaks("its default is an expression that is evaluated on each write of the former version, and may fail")
	case notNull && (!filled || def == null):
		return breaks("NOT NULL without a default: the former version leaves the column out")
	case filled && def != null:
		return adds("a new column with a default")
	}
	return adds("a new column that may be NULL")
}

// pgColumnType judges a type; it is empty for one that takes whatever the default gives.
func pgColumnType(t pgType, made names) opinion {
	schema, base := t.split()
	switch {
	case base == "":
		return breaks("a column with a type that this judge does not know")
	case schema == "" && slices.Contains([]string{"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}, base):
		return breaks("serial draws from a new sequence on each write of the former version, which its role may not be allowed to")
	case (schema == "" || schema == "pg_catalog") && knownTypes[base], made[typeName(schema, base)]:
		return opinion{}
	}
	return breaks("its type %s may be a domain, which may refuse what the former version leaves out", base)
}

// typeName keeps a type apart from a table of the same name.
func typeName(schema, base string) string { return "type\x00" + name(schema, base) }

func (t pgType) split() (schema, base string) {
	parts := texts(t.Names)
	switch len(parts) {
	case 1:
		return "", parts[0]
	case 2:
		return parts[0], parts[1]
	}
	return "", ""
}

// texts gives the strings of a list that has nothing else.
func texts(list []node) []string {
	var found []string
	for _, n := range list {
		s, known := as[struct {
			Value string `json:"sval"`
		}](n, "String")
		if !known {
			return nil
		}
		found = append(found, s.Value)
	}
	return found
}

// knownTypes take NULL and have no rules of their own: PostgreSQL's (https://www.postgresql.org/docs/current/datatype.html),
// base types of well-known extensions, and those of MySQL whose names PostgreSQL's grammar reads as well.
var knownTypes = setOf(
	"int2", "int4", "int8", "smallint", "integer", "int", "bigint", "numeric", "decimal", "float4", "float8", "real", "money",
	"bool", "boolean", "text", "varchar", "bpchar", "char", "name", "bytea", "bit", "varbit",
	"date", "time", "timetz", "timestamp", "timestamptz", "interval",
	"uuid", "json", "jsonb", "jsonpath", "xml", "inet", "cidr", "macaddr", "macaddr8", "tsvector", "tsquery", "oid",
	"point", "line", "lseg", "box", "path", "polygon", "circle", "pg_lsn",
	"int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange",
	"int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange",
	"citext", "hstore", "ltree", "geometry", "geography", "vector",
	"tinyint", "mediumint", "double", "datetime", "year", "binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob",
	"tinytext", "mediumtext", "longtext", "nvarchar",
)

func setOf(words ...string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}

// pgDefault tells what a default is.
func pgDefault(expression node, made names) defaultValue {
	switch kind, _ := expression.one(); kind {
	case "A_Const":
		value, _ := as[map[string]anything](expression, kind)
		if value["isnull"] != nil {
			return null
		}
		return constant
	case "TypeCast":
		cast, known := as[struct {
			Argument node   `json:"arg"`
			Type     pgType `json:"typeName"`
			Location int    `json:"location"`
		}](expression, kind)
		if known && pgColumnType(cast.Type, made) == (opinion{}) {
			if inner := pgDefault(cast.Argument, made); inner == constant || inner == null {
				return inner
			}
		}
	case "A_ArrayExpr":
		array, known := as[struct {
			Elements []node `json:"elements"`
			Location int    `json:"location"`
			Start    int    `json:"list_start"`
			End      int    `json:"list_end"`
		}](expression, kind)
		if known && !slices.ContainsFunc(array.Elements, func(n node) bool { return pgDefault(n, made) != constant }) {
			return constant
		}
	case "SQLValueFunction":
		value, known := as[struct {
			Op       string `json:"op"`
			Modifier int    `json:"typmod"`
			Location int    `json:"location"`
		}](expression, kind)
		if known && clockValues[value.Op] {
			return clock
		}
	case "FuncCall":
		return pgCall(expression, made)
	}
	return computed
}

var clockValues = setOf("SVFOP_CURRENT_DATE", "SVFOP_CURRENT_TIME", "SVFOP_CURRENT_TIME_N", "SVFOP_CURRENT_TIMESTAMP",
	"SVFOP_CURRENT_TIMESTAMP_N", "SVFOP_LOCALTIME", "SVFOP_LOCALTIME_N", "SVFOP_LOCALTIMESTAMP", "SVFOP_LOCALTIMESTAMP_N")

// clockCalls are PostgreSQL's own, which it looks for before any others of the name.
var clockCalls = setOf("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "gen_random_uuid")

// pgCall knows the functions that always give a value, and timezone, which is also how AT TIME ZONE is parsed.
func pgCall(expression node, made names) defaultValue {
	call, known := as[struct {
		Name     []node `json:"funcname"`
		Args     []node `json:"args"`
		Format   string `json:"funcformat"`
		Location int    `json:"location"`
	}](expression, "FuncCall")
	parts := texts(call.Name)
	if len(parts) == 2 && parts[0] == "pg_catalog" {
		parts = parts[1:]
	}
	if !known || len(parts) != 1 {
		return computed
	}
	switch {
	case clockCalls[parts[0]] && len(call.Args) == 0:
		return clock
	case parts[0] == "timezone" && len(call.Args) == 2 && pgDefault(call.Args[0], made) == constant && pgDefault(call.Args[1], made) == clock:
		return clock
	}
	return computed
}
