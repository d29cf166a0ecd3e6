from portcullis.gateway.catalog cimport Catalog
from portcullis.gateway.order_fields cimport OrderFields
from portcullis.journal.table cimport RowTable


cdef class OrderRefusals(OrderFields):
    cdef RowTable _table
    cdef Catalog _catalog
    cdef long long _kind
