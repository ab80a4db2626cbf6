package migration

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	mysql "github.com/pingcap/tidb/pkg/parser/test_driver" // the parser's own values for programs outside of TiDB
)

// parseMySQL reads a statement with TiDB's parser, whose grammar is MySQL's with little more. It reads no triggers and
// few stored programs: those could not be judged.
func parseMySQL(text string, made names) ([]opinion, error) {
	statements, _, err := parser.New().ParseSQL(text)
	if err != nil {
		return nil, fmt.Errorf("MySQL: %w", err)
	}
	var opinions []opinion
	for _, s := range statements {
		if index, is := s.(*ast.CreateIndexStmt); is && index.IndexOption != nil && index.IndexOption.Condition != nil {
			return nil, errors.New("MySQL: an index has no condition there, in TiDB alone")
		}
		opinions = append(opinions, judgeMySQL(s, made))
	}
	return opinions, nil
}

// judgeMySQL goes by the kind of a statement. What is not here is not known to only add.
func judgeMySQL(statement ast.StmtNode, made names) opinion {
	switch s := statement.(type) {
	case *ast.CreateTableStmt:
		return myCreateTable(s, made)
	case *ast.AlterTableStmt:
		return myAlterTable(s, made)
	case *ast.CreateIndexStmt:
		return myCreateIndex(s, made)
	case *ast.CreateViewStmt:
		if s.OrReplace {
			return breaks("replaces a view that the former version may read")
		}
		return adds("a new view, which the former version does not use")
	case *ast.CreateDatabaseStmt:
		return myCreateDatabase(s)
	case *ast.BeginStmt:
		return adds("begins or ends a transaction, and changes nothing by itself")
	case *ast.CommitStmt:
		if only(s) {
			return adds("begins or ends a transaction, and changes nothing by itself")
		}
	case *ast.SetStmt:
		return mySet(s)
	case *ast.CreateSequenceStmt: // MariaDB's
		if only(s, "IfNotExists", "Name", "SeqOptions") {
			return adds("a new sequence, which the former version does not use")
		}
	}
	kind := strings.TrimPrefix(fmt.Sprintf("%T", statement), "*ast.")
	if why, known := myBreaking[kind]; known {
		return breaks("%s", why)
	}
	return breaks("a %s is not on the list of what only adds", kind)
}

// myBreaking says of the most frequent other statements what they do.
var myBreaking = map[string]string{
	"AlterDatabaseStmt": "changes what the tables that are made later are like",
	"AlterSequenceStmt": "changes a sequence that the former version may draw from",
	"CallStmt":          "runs a procedure, which may do anything",
	"CreateUserStmt":    "changes who may log in",
	"DeleteStmt":        "deletes data",
	"DropDatabaseStmt":  "drops what the former version may use",
	"DropIndexStmt":     "drops an index that the former version may rely on",
	"DropProcedureStmt": "drops what the former version may use",
	"DropSequenceStmt":  "drops what the former version may use",
	"DropTableStmt":     "drops what the former version may use",
	"GrantStmt":         "changes rights",
	"InsertStmt":        "adds data, which the former version may not expect",
	"LoadDataStmt":      "adds data, which the former version may not expect",
	"RenameTableStmt":   "renames what the former version may use",
	"RevokeStmt":        "changes rights",
	"SelectStmt":        "runs a query, whose functions may change anything",
	"TruncateTableStmt": "deletes data",
	"UpdateStmt":        "changes data",
	"UseStmt":           "changes which database the statements after it mean",
	"ProcedureInfo":     "a stored program, which may do anything",
	"RollbackStmt":      "goes back in a transaction",
	"SetOprStmt":        "runs a query, whose functions may change anything",
	"DropUserStmt":      "changes who may log in",
	"AlterUserStmt":     "changes who may log in",
	"LockTablesStmt":    "keeps others from tables",
	"AnalyzeTableStmt":  "changes what the planner knows",
	"ExecuteStmt":       "runs a prepared statement, which may do anything",
	"PrepareStmt":       "prepares a statement, which may do anything",
	"OptimizeTableStmt": "rebuilds a table",
	"ReplaceStmt":       "changes data",
	"FlushStmt":         "changes the server's state",
}

// only says that of a node's fields none but the named ones is set: what a later version of the parser adds is never
// overlooked. What is embedded holds the text and not the meaning.
func only(node any, fields ...string) bool {
	value := reflect.ValueOf(node).Elem()
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if field.Anonymous && !field.IsExported() || slices.Contains(fields, field.Name) {
			continue
		}
		if f := value.Field(i); !f.IsZero() && !(f.Kind() == reflect.Slice && f.Len() == 0) {
			return false
		}
	}
	return true
}

func myName(t *ast.TableName) string { return name(t.Schema.O, t.Name.O) }

func myCreateDatabase(s *ast.CreateDatabaseStmt) opinion {
	for _, o := range s.Options {
		if o.Tp != ast.DatabaseOptionCharset && o.Tp != ast.DatabaseOptionCollate {
			return breaks("a database with options that are not on the list of what only adds")
		}
	}
	return adds("a new database; where it is there already, nothing changes")
}

// mySet knows the settings that are about waiting, and the encoding that this judge reads as well.
func mySet(s *ast.SetStmt) opinion {
	for _, v := range s.Variables {
		name := strings.ToLower(v.Name)
		value, isValue := v.Value.(*mysql.ValueExpr)
		switch {
		case !only(v, "Name", "Value", "IsSystem", "ExtendValue"):
			return breaks("a setting of the whole server, or one that is not on the list of what only adds")
		case v.Name == ast.SetNames && isValue && utf8Names[strings.ToLower(value.GetString())]:
		case v.IsSystem && isValue && harmlessSettings[name]:
		default:
			return breaks("a setting that may change what the statements after it mean")
		}
	}
	return adds("a setting of its own session about waiting, or the encoding that this judge reads as well")
}
