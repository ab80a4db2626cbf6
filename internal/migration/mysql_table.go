package migration

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	mysql "github.com/pingcap/tidb/pkg/parser/test_driver"
)

// myCreateTable: https://dev.mysql.com/doc/refman/8.4/en/create-table.html
func myCreateTable(s *ast.CreateTableStmt, made names) opinion {
	switch {
	case s.Select != nil:
		return breaks("runs a query to fill it, whose functions may change anything")
	case !only(s, "IfNotExists", "TemporaryKeyword", "OnCommitDelete", "Table", "ReferTable", "Cols", "Constraints", "Options", "Partition"):
		return breaks("a table with a part that is not on the list of what only adds")
	}
	for _, o := range s.Options {
		if !myTableOptions[o.Tp] {
			return breaks("a table with an option that is not on the list of what only adds")
		}
	}
	own := myName(s.Table)
	for _, column := range s.Cols {
		for _, o := range column.Options {
			if target, found := myForeign(o.Refer, own, made); found {
				return breaks("a foreign key: %s can't be truncated any more, nor its rows deleted while rows here refer to them", target)
			}
		}
	}
	for _, c := range s.Constraints {
		if target, found := myForeign(c.Refer, own, made); found {
			return breaks("a foreign key: %s can't be truncated any more, nor its rows deleted while rows here refer to them", target)
		}
	}
	if s.IfNotExists {
		return adds("a new table; where it is there already, nothing changes")
	}
	if s.TemporaryKeyword == ast.TemporaryNone {
		made[own] = true
	}
	return adds("a new table, which the former version does not use")
}

// myTableOptions say how a table keeps its rows. Not UNION, which joins it with others.
var myTableOptions = map[ast.TableOptionType]bool{
	ast.TableOptionEngine: true, ast.TableOptionCharset: true, ast.TableOptionCollate: true, ast.TableOptionAutoIncrement: true,
	ast.TableOptionComment: true, ast.TableOptionRowFormat: true, ast.TableOptionKeyBlockSize: true, ast.TableOptionCompression: true,
	ast.TableOptionStatsPersistent: true, ast.TableOptionStatsAutoRecalc: true, ast.TableOptionStatsSamplePages: true,
	ast.TableOptionMaxRows: true, ast.TableOptionMinRows: true, ast.TableOptionAvgRowLength: true, ast.TableOptionPackKeys: true,
	ast.TableOptionCheckSum: true, ast.TableOptionDelayKeyWrite: true,
}

// myForeign tells a foreign key to a table that the file did not make itself.
func myForeign(reference *ast.ReferenceDef, own string, made names) (target string, found bool) {
	if reference == nil {
		return "", false
	}
	if reference.Table == nil {
		return "a table", true
	}
	key := myName(reference.Table)
	return reference.Table.Name.O, key != own && !made[key]
}

// myAlterTable: https://dev.mysql.com/doc/refman/8.4/en/alter-table.html
func myAlterTable(s *ast.AlterTableStmt, made names) opinion {
	if len(s.Specs) == 0 {
		return breaks("changes a table in a way that is not on the list of what only adds")
	}
	opinions := make([]opinion, len(s.Specs))
	for i, spec := range s.Specs {
		opinions[i] = myAlter(spec, made[myName(s.Table)], myName(s.Table), made)
	}
	return worst(opinions)
}

// myAlter judges one part of an ALTER TABLE, of a table that the file made itself or of another one.
func myAlter(spec *ast.AlterTableSpec, isNew bool, own string, made names) opinion {
	switch spec.Tp {
	case ast.AlterTableAddColumns:
		return myAddColumns(spec, isNew, own, made)
	case ast.AlterTableAddConstraint:
		if !only(spec, "Tp", "Constraint") || spec.Constraint == nil {
			return breaks("a constraint with a part that is not on the list of what only adds")
		}
		return myAddConstraint(spec.Constraint, isNew, own, made)
	case ast.AlterTableAlgorithm, ast.AlterTableLock:
		if only(spec, "Tp", "Algorithm", "LockType") {
			return adds("how the change is carried out")
		}
	}
	if why, known := myAlterations[spec.Tp]; known {
		return breaks("%s", why)
	}
	return breaks("changes a table in a way that is not on the list of what only adds")
}

var myAlterations = map[ast.AlterTableType]string{
	ast.AlterTableOption:         "changes a table's options",
	ast.AlterTableDropColumn:     "drops a column that the former version may use",
	ast.AlterTableDropPrimaryKey: "drops a key that the former version may rely on",
	ast.AlterTableDropIndex:      "drops an index that the former version may rely on",
	ast.AlterTableDropForeignKey: "drops a foreign key that the former version may rely on",
	ast.AlterTableDropCheck:      "drops a constraint that the former version may rely on",
	ast.AlterTableModifyColumn:   "changes a column's type, or what it refuses",
	ast.AlterTableChangeColumn:   "renames a column, or changes its type",
	ast.AlterTableRenameColumn:   "renames what the former version may use",
	ast.AlterTableRenameTable:    "renames what the former version may use",
	ast.AlterTableRenameIndex:    "renames an index that the former version may name",
	ast.AlterTableAlterColumn:    "changes the default that the former version may rely on",
	ast.AlterTableAddPartitions:  "changes a table's partitions",
	ast.AlterTableDropPartition:  "drops a partition with its rows",
	ast.AlterTablePartition:      "changes a table's partitions",
	ast.AlterTableIndexInvisible: "changes whether queries may use an index",
}

func myAddColumns(spec *ast.AlterTableSpec, isNew bool, own string, made names) opinion {
	switch {
	case !only(spec, "Tp", "IfNotExists", "NewColumns", "NewConstraints", "Position"):
		return breaks("a column with a part that is not on the list of what only adds")
	case !isNew && spec.Position != nil && spec.Position.Tp != ast.ColumnPositionNone:
		return breaks("moves the columns after it: code that reads or writes them by their places gets others")
	}
	var opinions []opinion
	for _, column := range spec.NewColumns {
		if isNew {
			opinions = append(opinions, myNewTableColumn(column, own, made))
		} else {
			opinions = append(opinions, myAddColumn(column))
		}
	}
	for _, constraint := range spec.NewConstraints {
		opinions = append(opinions, myAddConstraint(constraint, isNew, own, made))
	}
	if len(opinions) == 0 {
		return breaks("changes a table in a way that is not on the list of what only adds")
	}
	return worst(opinions)
}

func myNewTableColumn(column *ast.ColumnDef, own string, made names) opinion {
	for _, o := range column.Options {
		if target, found := myForeign(o.Refer, own, made); found {
			return breaks("a foreign key: %s can't be truncated any more, nor its rows deleted while others refer to them", target)
		}
	}
	return adds("completes a table that this file makes")
}

// myAddColumn judges a new column of a table that the former version may use.
func myAddColumn(column *ast.ColumnDef) opinion {
	notNull, filled, def := false, false, defaultValue("")
	for _, o := range column.Options {
		switch o.Tp {
		case ast.ColumnOptionNull, ast.ColumnOptionComment, ast.ColumnOptionCollate, ast.ColumnOptionNoOption:
		case ast.ColumnOptionNotNull:
			notNull = true
		case ast.ColumnOptionDefaultValue:
			def, filled = myDefault(o.Expr), true
		case ast.ColumnOptionOnUpdate: // the time of the change: it can't fail
			if myDefault(o.Expr) != clock {
				return breaks("an expression that is evaluated on each write of the former version, and may fail")
			}
		default:
			if why, known := myColumnOptions[o.Tp]; known {
				return breaks("%s", why)
			}
			return breaks("a column with a part that is not on the list of what only adds")
		}
	}
	return newColumn(notNull, filled, def)
}

var myColumnOptions = map[ast.ColumnOptionType]string{
	ast.ColumnOptionPrimaryKey:    "PRIMARY KEY: the former version may write a value twice, or none",
	ast.ColumnOptionAutoIncrement: "AUTO_INCREMENT needs a key, and makes the rows' numbers anew",
	ast.ColumnOptionUniqKey:       "UNIQUE: the former version may write a value twice",
	ast.ColumnOptionGenerated:     "a generated column is computed on each write of the former version, which fails where that does",
	ast.ColumnOptionReference:     "a foreign key: it may refuse what the former version writes or deletes",
	ast.ColumnOptionCheck:         "CHECK: it may refuse what the former version writes",
}

// myDefault tells what a default is.
func myDefault(expression ast.ExprNode) defaultValue {
	switch e := expression.(type) {
	case *mysql.ValueExpr:
		if e.Kind() == mysql.KindNull {
			return null
		}
		return constant
	case *ast.UnaryOperationExpr:
		if myDefault(e.V) == constant {
			return constant
		}
	case *ast.ParenthesesExpr:
		return myDefault(e.Expr)
	case *ast.FuncCallExpr:
		if myClock[e.FnName.L] && e.Schema.L == "" {
			return clock
		}
	}
	return computed
}

// The functions that MySQL takes for the default of a time, and UUID:
// https://dev.mysql.com/doc/refman/8.4/en/data-type-defaults.html
var myClock = setOf("current_timestamp", "now", "localtime", "localtimestamp", "current_date", "curdate", "uuid")
