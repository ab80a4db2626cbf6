package migration

// pgIndexed is a column of an index.
type pgIndexed struct {
	Name       string     `json:"name"`
	Expression node       `json:"expr"`
	Collation  anything   `json:"collation"`
	Class      []node     `json:"opclass"`
	Options    []anything `json:"opclassopts"`
	Order      string     `json:"ordering"`
	Nulls      string     `json:"nulls_ordering"`
}

// pgCreateIndex: https://www.postgresql.org/docs/current/sql-createindex.html. CONCURRENTLY is about locks only.
func pgCreateIndex(statement node, made names) opinion {
	index, known := as[struct {
		Name         string     `json:"idxname"`
		Relation     pgTable    `json:"relation"`
		Method       string     `json:"accessMethod"`
		Columns      []node     `json:"indexParams"`
		Included     []node     `json:"indexIncludingParams"`
		Condition    node       `json:"whereClause"`
		Concurrently bool       `json:"concurrent"`
		IfNotExists  bool       `json:"if_not_exists"`
		Unique       bool       `json:"unique"`
		Distinct     bool       `json:"nulls_not_distinct"`
		Tablespace   string     `json:"tableSpace"`
		Options      []anything `json:"options"`
	}](statement, "IndexStmt")
	switch {
	case !known:
		return breaks("an index with a part that is not on the list of what only adds")
	case made[index.Relation.key()]:
		return adds("an index on a table that this file makes")
	case index.Unique:
		return breaks("UNIQUE: the former version may write a value twice")
	case !pgMethods[index.Method]:
		return breaks("an index of a kind (%s) that this judge does not know", index.Method)
	case index.Condition != nil && !pgHarmless(index.Condition):
		return breaks("its condition is evaluated on each write of the former version, and may fail")
	}
	for _, c := range append(index.Columns, index.Included...) {
		column, known := as[pgIndexed](c, "IndexElem")
		switch {
		case !known:
			return breaks("an index with a part that is not on the list of what only adds")
		case column.Expression != nil:
			return breaks("an index on an expression, which is evaluated on each write of the former version, and may fail")
		case column.Class != nil && !pgKnownClass(column.Class):
			return breaks("an index by an operator class that this judge does not know")
		}
	}
	return adds("a new plain index: nothing is refused by it but values too long for one")
}

// pgMethods are PostgreSQL's own index methods: https://www.postgresql.org/docs/current/indexes-types.html
var pgMethods = setOf("btree", "hash", "gin", "gist", "brin", "spgist")

// pgClasses take every value of their types: https://www.postgresql.org/docs/current/indexes-opclass.html and pg_trgm's.
var pgClasses = setOf("text_ops", "varchar_ops", "bpchar_ops", "text_pattern_ops", "varchar_pattern_ops", "bpchar_pattern_ops",
	"int2_ops", "int4_ops", "int8_ops", "uuid_ops", "date_ops", "timestamp_ops", "timestamptz_ops", "inet_ops", "jsonb_ops",
	"jsonb_path_ops", "array_ops", "gin_trgm_ops", "gist_trgm_ops", "tsvector_ops")

func pgKnownClass(class []node) bool {
	parts := texts(class)
	return len(parts) > 0 && pgClasses[parts[len(parts)-1]]
}

// pgHarmless says of an index's condition that it can be evaluated for every row without failing: columns by themselves,
// compared with constants, asked for NULL, and put together with AND, OR and NOT.
func pgHarmless(condition node) bool {
	kind, _ := condition.one()
	switch kind {
	case "ColumnRef":
		return true
	case "NullTest", "BooleanTest":
		test, known := as[struct {
			Argument node     `json:"arg"`
			Null     string   `json:"nulltesttype"`
			Bool     string   `json:"booltesttype"`
			IsRow    anything `json:"argisrow"`
			Location int      `json:"location"`
		}](condition, kind)
		return known && isColumn(test.Argument)
	case "BoolExpr":
		all, known := as[struct {
			Op       string `json:"boolop"`
			Args     []node `json:"args"`
			Location int    `json:"location"`
		}](condition, kind)
		for _, part := range all.Args {
			known = known && pgHarmless(part)
		}
		return known
	case "A_Expr":
		return pgHarmlessComparison(condition)
	}
	return false
}

var comparisons = setOf("=", "<>", "!=", "<", ">", "<=", ">=")

func pgHarmlessComparison(condition node) bool {
	comparison, known := as[struct {
		Kind     string `json:"kind"`
		Name     []node `json:"name"`
		Left     node   `json:"lexpr"`
		Right    node   `json:"rexpr"`
		Location int    `json:"location"`
	}](condition, "A_Expr")
	operator := texts(comparison.Name)
	if !known || len(operator) != 1 || !comparisons[operator[0]] || !isColumn(comparison.Left) {
		return false
	}
	switch comparison.Kind {
	case "AEXPR_OP":
		return pgDefault(comparison.Right, nil) == constant
	case "AEXPR_IN":
		list, known := as[struct {
			Items []node `json:"items"`
		}](comparison.Right, "List")
		for _, item := range list.Items {
			known = known && pgDefault(item, nil) == constant
		}
		return known
	}
	return false
}

func isColumn(n node) bool {
	kind, _ := n.one()
	return kind == "ColumnRef"
}
