package journal

import "syscall"

// volatile names the file system of a folder if what lies there is gone after a restart; "" where it isn't, or where
// that can't be told. The numbers are those of statfs(2).
func volatile(folder string) string {
	var fs syscall.Statfs_t
	if syscall.Statfs(folder, &fs) != nil {
		return ""
	}
	switch uint32(fs.Type) {
	case 0x01021994:
		return "tmpfs"
	case 0x794c7630:
		return "overlayfs, a container's own layer"
	case 0x858458f6:
		return "ramfs"
	}
	return ""
}
